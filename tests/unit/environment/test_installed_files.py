from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from cxr.environment import installed_files
from cxr.environment.installed_files import capture_installed
from cxr.environment.record_file import read_listing
from cxr.errors import Interrupted
from support.distributions import encode_digest, plant_distribution

FILES = {
    "optim/__init__.py": b"",
    "optim/adamw.py": b"beta = 0.9\n",
    "optim/data.bin": bytes(200_000),
    "optim/with, comma.txt": b"x",
}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def settled(monkeypatch):
    """Files are old enough as soon as they are written."""
    monkeypatch.setattr(installed_files, "SETTLED_NS", -1_000_000_000)


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files whose content is read, in no certain order."""
    names: list[str] = []
    real = hashlib.file_digest

    def note(stream, algorithm):
        names.append(Path(stream.name).name)
        return real(stream, algorithm)

    monkeypatch.setattr(installed_files.hashlib, "file_digest", note)
    return names


@pytest.fixture
def site(tmp_path):
    return tmp_path / "env" / "lib" / "site-packages"


@pytest.fixture
def planted(site):
    lines = ["optim/__pycache__/adamw.cpython-313.pyc,,"]
    installed = plant_distribution(site, "planted", "1.0", files=FILES, lines=lines)
    return {"planted": installed}


def check(planted):
    found = capture_installed(found=planted)
    assert found.keys() == planted.keys()
    return found["planted"]


class Told:
    """Progress that remembers."""

    def __init__(self):
        self.calls = []

    def advance(self, what, done, total):
        self.calls.append((what, done, total))

    def note(self, text):
        self.calls.append(text)


def test_an_intact_package_has_no_problem(planted):
    assert check(planted) == []


def test_a_file_that_was_edited_in_place_is_named(planted, site):
    (site / "optim" / "adamw.py").write_bytes(b"beta = 0.8\n")  # as many bytes
    (site / "optim" / "data.bin").write_bytes(b"short")
    (site / "optim" / "__init__.py").unlink()
    (site / "optim" / "with, comma.txt").unlink()
    (site / "optim" / "with, comma.txt").mkdir()
    assert check(planted) == [
        "optim/__init__.py is missing",
        "optim/adamw.py was changed",
        "optim/data.bin was changed",
        "optim/with, comma.txt is not a file any more",
    ]


def test_a_pipe_in_place_of_a_file_is_not_waited_for(planted, site):
    (site / "optim" / "adamw.py").unlink()
    os.mkfifo(site / "optim" / "adamw.py")
    assert check(planted) == ["optim/adamw.py is not a file any more"]


def test_a_file_that_cannot_be_read_is_named(planted, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "/home/planted-home/x")

    monkeypatch.setattr(installed_files.hashlib, "file_digest", refuse)
    assert check(planted)[1] == "optim/adamw.py cannot be read: Permission denied"


def test_many_problems_are_counted(site):
    files = {f"many/{number:03}.py": b"x" for number in range(250)}
    planted = {"planted": plant_distribution(site, "planted", "1.0", files=files)}
    for path in [*files][:230]:
        (site / path).write_bytes(b"y")
    found = check(planted)
    assert found[:2] == ["many/000.py was changed", "many/001.py was changed"]
    assert (len(found), found[-1]) == (21, "and 210 more")


def test_a_file_outside_of_the_environment_is_not_looked_at(site, tmp_path, monkeypatch, hashed):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    outside = tmp_path / "secret.txt"
    outside.write_text("a secret")
    script = tmp_path / "env" / "bin" / "tool"
    files = {"../../bin/tool": b"#!python\n", str(script.with_name("other")): b"#!python\n"}
    lines = [f"../../../secret.txt,sha256={'A' * 43},8", f"{outside},sha256={'A' * 43},8"]
    planted = plant_distribution(site, "planted", "1.0", files=files, lines=lines)
    assert check({"planted": planted}) == ["files outside of the environment, not looked at: 2"]
    assert sorted(hashed) == ["other", "tool"]
    script.write_bytes(b"#!Python\n")
    script.with_name("other").write_bytes(b"#!Python\n")
    found = check({"planted": planted})
    # A path is relative, however the list has it.
    assert found[:2] == ["../../bin/tool was changed", "../../bin/other was changed"]
    assert str(tmp_path) not in json.dumps(found)


def test_what_is_beside_the_environment_may_list_only_its_own_files(site, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "elsewhere"))
    planted = plant_distribution(site, "planted", "1.0", files={"../../bin/tool": b"", "a.py": b""})
    assert check({"planted": planted}) == ["files outside of the environment, not looked at: 1"]
    # Those that belong to the interpreter have their scripts beside it.
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "env"))
    assert check({"planted": planted}) == []


@pytest.mark.parametrize(
    "line",
    [
        "only-a-path",
        ",sha256=AAAA,1",
        "a.py,md5=AAAA,1",
        "a.py,shake_128=AAAA,1",
        "a.py,sha256=/home/planted,1",
        "a.py,sha256=AAAA,many",
        '"a.py,sha256=AAAA,1',
        "a\0.py,sha256=AAAA,1",
    ],
)
def test_a_damaged_record_is_a_problem_of_its_own(site, line):
    planted = plant_distribution(site, "planted", "1.0", lines=[line])
    assert check({"planted": planted}) == ["has a RECORD that is damaged"]


def test_no_record_and_an_unreadable_one(site):
    planted = plant_distribution(site, "planted", "1.0", record=False)
    assert check({"planted": planted}) == ["has no RECORD: its files cannot be checked"]
    (site / "planted-1.0.dist-info" / "RECORD").write_bytes(b"\xff\xfe,,\n")
    assert read_listing(planted.distribution) == "has a RECORD that cannot be read"


@pytest.mark.usefixtures("settled")
def test_what_did_not_change_is_not_read_again(planted, site, hashed):
    assert check(planted) == []
    assert sorted(hashed) == sorted(Path(path).name for path in FILES)
    hashed.clear()
    assert check(planted) == []
    assert hashed == []
    # A package with a problem is remembered with it.
    (site / "optim" / "adamw.py").write_bytes(b"beta = 0.8\n")
    assert check(planted) == ["optim/adamw.py was changed"]
    hashed.clear()
    assert check(planted) == ["optim/adamw.py was changed"]
    assert hashed == []


@pytest.mark.usefixtures("settled")
def test_an_edit_with_the_old_size_and_time_is_found(planted, site):
    assert check(planted) == []
    file = site / "optim" / "adamw.py"
    before = file.stat()
    file.write_bytes(b"beta = 0.8\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert check(planted) == ["optim/adamw.py was changed"]


@pytest.mark.usefixtures("settled")
def test_an_edited_record_is_read_again(planted, site, hashed):
    assert check(planted) == []
    hashed.clear()
    record = site / "planted-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("optim/adamw.py,", "optim/gone.py,"))
    assert check(planted) == ["optim/gone.py is missing"]
    assert hashed


@pytest.mark.usefixtures("settled")
def test_a_digest_that_was_edited_is_compared_again_though_no_file_changed(planted, site):
    assert check(planted) == []
    record = site / "planted-1.0.dist-info" / "RECORD"
    old, new = encode_digest(FILES["optim/adamw.py"]), encode_digest(b"beta = 0.8\n")
    record.write_text(record.read_text().replace(old, new))
    assert check(planted) == ["optim/adamw.py was changed"]


def test_what_changed_only_just_now_is_read_again(planted, hashed):
    # Another edit within the same tick of the clock would not show in the time stamps.
    assert check(planted) == []
    hashed.clear()
    assert check(planted) == []
    assert sorted(hashed) == sorted(Path(path).name for path in FILES)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "schema", "shape"])
def test_a_damaged_cache_is_as_good_as_none(planted, tmp_path, damage, hashed):
    assert check(planted) == []
    (cache,) = (tmp_path / "cache" / "cxr" / "installed").glob("*.json")
    text = cache.read_text()
    known = json.loads(text)
    if damage == "empty":
        cache.write_bytes(b"")
    elif damage == "cut":
        cache.write_text(text[:-20])
    elif damage == "flipped":
        known["entries"]["planted"][1] = ["planted trouble"]
        cache.write_text(json.dumps(known))
    elif damage == "schema":
        cache.write_text(json.dumps({**known, "schema": "cxr.installed/0"}))
    else:
        from cxr.digests.canonical import digest_json

        entries = {"planted": 7}
        digest = digest_json(entries)
        cache.write_text(json.dumps({**known, "entries": entries, "digest": digest}))
    hashed.clear()
    assert check(planted) == []
    assert hashed
    # It was written again, and holds.
    hashed.clear()
    assert check(planted) == []
    assert hashed == []


@pytest.mark.usefixtures("settled")
def test_a_cache_without_a_place_is_done_without(planted, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file stands where the directory would")
    assert check(planted) == []

    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", fail)
    assert check(planted) == []


@pytest.mark.usefixtures("settled")
def test_the_cache_tells_no_path(planted, tmp_path):
    check(planted)
    (cache,) = (tmp_path / "cache" / "cxr" / "installed").glob("*.json")
    assert str(tmp_path) not in cache.read_text()
    assert sys.prefix not in cache.read_text()


@pytest.mark.usefixtures("settled")
def test_progress_counts_files_and_ends(planted):
    told = Told()
    capture_installed(told, planted)
    assert told.calls == [
        ("checking installed files", 0, 4),
        ("checking installed files", 4, 4),
    ]
    told = Told()
    capture_installed(told, planted)
    assert told.calls == [("checking installed files", 4, 4)]


def test_a_signal_ends_it(planted):
    class Stopping(Told):
        def advance(self, what, done, total):
            raise Interrupted("stopped", where=what, hint=f"{done} of {total}")

    with pytest.raises(Interrupted):
        capture_installed(Stopping(), planted)
