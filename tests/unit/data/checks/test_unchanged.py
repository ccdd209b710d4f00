from __future__ import annotations

import json
import shutil

import pytest

from cxr.data.caches import file_stat
from cxr.data.checks import unchanged
from cxr.data.checks.locking import lock_target
from cxr.data.checks.unchanged import verify_unless_unchanged
from cxr.data.checks.verify import verify_target
from cxr.errors import ConfigError
from support.recipes import images


class Hearing:
    def __init__(self):
        self.notes = []

    def advance(self, *_):
        pass

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def target(tmp_path, monkeypatch, radiographs):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(file_stat, "SETTLED_NS", -(10**12))
    shutil.copytree(radiographs, tmp_path / "images")
    (tmp_path / "base.yaml").write_text(json.dumps(images("images")))
    config = tmp_path / "mine.yaml"
    config.write_text(json.dumps({"extends": "base.yaml", "name": "mine"}))
    return config


def ask(target, *, overrides=(), is_used=True, lock=None):
    """Return the report, and whether it was remembered."""
    hearing = Hearing()
    report = verify_unless_unchanged(
        target,
        lambda: verify_target(target, overrides=overrides, lock=lock, progress=hearing),
        overrides=overrides,
        lock=lock,
        strict=False,
        is_used=is_used,
        progress=hearing,
    )
    return report, bool(hearing.notes)


def test_an_answer_stands_while_nothing_changes(target):
    first, was_remembered = ask(target)
    assert not was_remembered
    assert ask(target) == (first, True)
    assert ask(target, is_used=False) == (first, False)


def test_an_answer_is_that_of_the_fields_that_were_changed(target):
    elsewhere = shutil.copytree(target.parent / "images", target.parent / "elsewhere")
    there = (f"data.root={elsewhere}",)
    assert not ask(target)[1]
    assert not ask(target, overrides=there)[1]
    assert ask(target, overrides=there)[1]
    next(elsewhere.rglob("*.png")).write_bytes(b"")
    report, was_remembered = ask(target, overrides=there)
    assert (report.verdict, was_remembered) == ("differs", False)
    assert ask(target)[1]


def test_a_directory_is_remembered_as_well(target):
    first, _ = ask(target.parent / "images")
    assert ask(target.parent / "images") == (first, True)


def empty_an_image(directory):
    next((directory / "images" / "train" / "NORMAL").iterdir()).write_bytes(b"")


def leave_a_file(directory):
    (directory / "images" / "train" / ".DS_Store").write_bytes(b"x")


def change_what_is_extended(directory):
    file = directory / "base.yaml"
    file.write_text(file.read_text() + " ")


def change_the_config(directory):
    file = directory / "mine.yaml"
    file.write_text(file.read_text() + " ")


def put_a_lock_beside_it(directory):
    lock_target(directory / "mine.yaml")


@pytest.mark.parametrize(
    "change",
    [
        empty_an_image,
        leave_a_file,
        change_what_is_extended,
        change_the_config,
        put_a_lock_beside_it,
    ],
)
def test_whatever_an_answer_depends_on_is_seen_to_change(target, change):
    ask(target)
    assert ask(target)[1]
    change(target.parent)
    report, was_remembered = ask(target)
    assert not was_remembered
    assert report == verify_target(target)


@pytest.mark.parametrize("name", ["digest_code", "digest_inspection"])
def test_other_code_and_another_decoder_look_again(target, monkeypatch, name):
    ask(target)
    monkeypatch.setattr(unchanged, name, lambda: "sha256:other")
    assert not ask(target)[1]


def test_another_home_is_another_question(target, monkeypatch):
    ask(target)
    assert ask(target)[1]
    monkeypatch.setenv("HOME", str(target.parent))
    assert not ask(target)[1]


def test_what_changed_only_now_is_looked_at_again(target, monkeypatch):
    monkeypatch.setattr(file_stat, "SETTLED_NS", 2 * 10**9)
    ask(target)
    assert not ask(target)[1]


def test_a_change_while_it_is_looked_at_is_not_missed(target):
    def change_and_verify():
        report = verify_target(target)
        empty_an_image(target.parent)
        return report

    options = {
        "overrides": (),
        "lock": None,
        "strict": False,
        "is_used": True,
        "progress": Hearing(),
    }
    assert verify_unless_unchanged(target, change_and_verify, **options).verdict == "verified"
    report, was_remembered = ask(target)
    assert (report.verdict, was_remembered) == ("differs", False)


def test_a_refused_config_is_refused_each_time(target):
    target.write_text("{")
    for _ in range(2):
        with pytest.raises(ConfigError):
            ask(target)


def test_nothing_that_is_kept_names_an_image_or_a_place(target, tmp_path):
    empty_an_image(tmp_path)
    assert ask(target)[0].problems
    kept = b"".join(file.read_bytes() for file in (tmp_path / "cache").rglob("*") if file.is_file())
    for secret in (b"images", b"train", b"NORMAL", str(tmp_path).encode()):
        assert secret not in kept
