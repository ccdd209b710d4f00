"""The places that runs write to are said to bear only where they can be written and have room."""

from __future__ import annotations

import errno
import os
from collections import namedtuple
from pathlib import Path

import pytest

from cxr.records import free_place
from cxr.selftest import free_space

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


@pytest.mark.parametrize("standing", [".", "runs"])
def test_runs_that_cannot_be_written_are_a_warning(
    standing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / standing).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    assert free_space.check_runs().ok
    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr(free_place.os, "access", lambda place, _: place != tmp_path / standing)
    check = free_space.check_runs()
    assert (check.ok, check.mend) == (False, "cxr train --out DIR")
    assert check.found == f"cannot write: {os.strerror(errno.EACCES)} ({tmp_path / 'runs'})"


@pytest.mark.parametrize(("free", "ok"), [(2**30, True), (2**30 - 1, False)])
def test_little_space_is_a_warning(
    free: int,
    ok: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    monkeypatch.setattr(free_space.shutil, "disk_usage", lambda _: Usage(0, 0, free))
    place = tmp_path / "not" / "there" / "yet"
    check = free_space._check_place("runs", place, "DIR")
    assert (check.ok, check.found) == (ok, f"1.0 GiB free for {place}")


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch):
    def fail() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", fail)
    check = free_space.check_cache()
    assert not check.ok
    assert "no home directory" in check.found


def test_a_directory_is_named_without_whose_home_it_is_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert free_space._name_place(tmp_path / "cache") == "~/cache"
    assert free_space._name_place(Path("/srv/cache")) == "/srv/cache"
