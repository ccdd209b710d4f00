from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cxr.digests.files import digest_file
from cxr.environment import lock_file
from cxr.environment.lock_file import find_lock_file, load_lock, parse_lock
from cxr.errors import RecordError
from support.locks import HASH, INDEX, write_lock

ROOT = Path(__file__).parents[3]


def test_the_projects_own_lock_is_read_whole():
    path = ROOT / "uv.lock"
    lock = load_lock(path)
    assert lock.digest == digest_file(path)
    assert (lock.roots, lock.members) == (("cxr",), ())
    assert len(lock.packages["numpy"]) == 2
    (torch,) = lock.packages["torch"]
    assert torch.source == "registry"
    hashes = lock.hashes("Torch", torch.version)
    assert len(hashes) > 5
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in hashes)
    assert lock.registry("torch", torch.version).startswith("https://")
    assert set(lock.packages["cxr"][0].groups) == {"dev", "bench"}


def test_a_version_that_is_not_locked_has_no_hashes(tmp_path):
    lock = load_lock(write_lock(tmp_path / "uv.lock", {"one": "1.0"}))
    assert lock.hashes("one", "1.0") == [HASH]
    assert lock.registry("one", "1.0") == INDEX
    assert lock.hashes("one", "1.1") == lock.hashes("two", "1.0") == []
    assert lock.registry("one", "1.1") is lock.registry("mine", "0.1.0") is None


def test_an_address_is_told_without_user_and_password(tmp_path):
    path = write_lock(tmp_path / "uv.lock", {"one": "1.0"})
    secret = INDEX.replace("https://", "https://someone:planted-password@")
    path.write_text(path.read_text().replace(INDEX, secret))
    assert load_lock(path).registry("one", "1.0") == INDEX


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "the lock file is not TOML"),
        (b"version = ", "the lock file is not TOML"),
        (b"a = " + b"[" * 100_000, "the lock file is not TOML"),
        (b'[metadata]\nlock-version = "2.1"\n[[package]]\nname = "x"', "not a lock file of uv"),
        (b'version = "1"\n[[package]]\nname = "x"', "not a lock file of uv"),
        (b"version = true\npackage = []", "not a lock file of uv"),
        (b"version = 1", "not a lock file of uv"),
        (b"version = 2\npackage = []", "has format 2; this version of cxr reads 1"),
        (b"version = 1\npackage = []", "the lock of no project"),
        (b"version = 1\npackage = [7]", "the lock file is damaged: TypeError"),
        (b'version = 1\npackage = [{name = "x"}]', "the lock file is damaged: KeyError: 'source'"),
        (b'version = 1\npackage = [{name = 7, source = {git = ""}}]', "the lock file is damaged"),
        (
            b'version = 1\npackage = [{name = "x", version = 1, source = {editable = "."}}]',
            "damaged: TypeError: a version that is not text",
        ),
        (
            (
                b'version = 1\npackage = [{name = "x", source = {editable = "."}, '
                b'dependencies = [{name = "y", marker = "python >"}]}]'
            ),
            "damaged: InvalidMarker",
        ),
        (
            (
                b'version = 1\nmanifest = {members = ["gone"]}\n'
                b'package = [{name = "x", source = {git = "."}}]'
            ),
            "the lock of no project",
        ),
    ],
)
def test_what_is_no_readable_lock_is_refused(content, problem):
    with pytest.raises(RecordError, match="lock file") as caught:
        parse_lock(content, where="some/uv.lock")
    assert problem in caught.value.problem
    assert caught.value.where == "some/uv.lock"


def test_a_missing_lock_is_named(tmp_path):
    with pytest.raises(RecordError, match="cannot read the lock file: No such file") as caught:
        load_lock(tmp_path / "uv.lock")
    assert caught.value.where == str(tmp_path / "uv.lock")


def test_the_lock_beside_the_environment_comes_before_that_of_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env" / ".venv"))
    assert find_lock_file() == ROOT / "uv.lock"
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "uv.lock").write_text("")
    assert find_lock_file() == tmp_path / "env" / "uv.lock"
    # An interpreter outside of any virtual environment has no lock beside it.
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    assert find_lock_file() == ROOT / "uv.lock"
    # Neither has an installed cxr, whatever lies two directories up.
    monkeypatch.setattr(lock_file, "PACKAGE", tmp_path / "lib" / "site-packages" / "cxr")
    (tmp_path / "lib" / "uv.lock").parent.mkdir()
    (tmp_path / "lib" / "uv.lock").write_text("")
    assert find_lock_file() is None


@pytest.mark.parametrize(
    ("needs", "problem"),
    [
        (['{ name = "gone" }'], "nothing locked for gone"),
        ([f'{{ name = "gone", marker = "sys_platform == {chr(39)}nowhere{chr(39)}" }}'], "gone"),
        (['{ name = "one", version = "2.0" }'], "nothing locked for one 2.0"),
    ],
)
def test_a_lock_that_names_what_it_does_not_hold_is_damaged(tmp_path, needs, problem):
    path = write_lock(tmp_path / "uv.lock", {"one": "1.0"}, needs=needs)
    with pytest.raises(RecordError, match=f"the lock file is damaged: .*{problem}") as caught:
        load_lock(path)
    assert caught.value.where == str(path)


def test_what_a_dependency_needs_must_be_locked_too(tmp_path):
    more = (
        '[[package]]\nname = "top"\nversion = "1"\nsource = { registry = "x" }\n'
        '[package.optional-dependencies]\nfast = [{ name = "gone" }]\n'
    )
    path = write_lock(tmp_path / "uv.lock", {}, needs=[], more=more)
    with pytest.raises(RecordError, match="nothing locked for gone"):
        load_lock(path)


def test_a_lock_that_would_never_end_is_refused(tmp_path, monkeypatch):
    (tmp_path / "uv.lock").symlink_to("/dev/zero")
    with pytest.raises(RecordError, match="cannot read the lock file: it is no regular file"):
        load_lock(tmp_path / "uv.lock")
    path = write_lock(tmp_path / "large.lock", {})
    monkeypatch.setattr(lock_file, "MAX_LOCK_BYTES", path.stat().st_size - 1)
    with pytest.raises(RecordError, match="cannot read the lock file: it is larger than"):
        load_lock(path)
