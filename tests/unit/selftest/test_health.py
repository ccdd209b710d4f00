"""Each line about the installation says what is there, and warns where it will not bear."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from cxr.selftest import health

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it
CODE = {"version": "0.1.0", "digest": "sha256:0", "commit": "0123456789abcdef", "dirty": False}


@pytest.mark.parametrize(
    ("changes", "ok", "found"),
    [
        ({}, True, "cxr 0.1.0, commit 0123456789ab"),
        (
            {"dirty": True},
            False,
            "cxr 0.1.0, commit 0123456789ab, with changes that no commit holds",
        ),
        (
            {"commit": None, "dirty": None},
            True,
            "cxr 0.1.0, no checkout: records name the sources by digest",
        ),
    ],
)
def test_the_code_is_named(
    changes: dict[str, Any],
    ok: bool,  # noqa: FBT001
    found: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(health.shutil, "which", lambda _: "/usr/bin/git")
    check = health._check_code({"code": {**CODE, **changes}})
    assert (check.ok, check.found) == (ok, found)


def test_without_git_the_code_has_its_digest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health.shutil, "which", lambda _: None)
    check = health._check_code({"code": {**CODE, "commit": None, "dirty": None}})
    assert check.ok
    assert "git is not installed" in check.found


def test_a_gpu_that_torch_does_not_find_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    found = {"devices": [{"name": "A", "capability": "9.0"}], "cuda": "13.0", "cudnn": 9}
    assert health._check_gpu({"gpu": found}).found == "A, CUDA 13.0"
    for devices in ([], "not_read"):
        monkeypatch.setattr(health, "_NVIDIA_DRIVER", tmp_path / "nothing")
        assert health._check_gpu({"gpu": {"devices": devices}}).ok
        monkeypatch.setattr(health, "_NVIDIA_DRIVER", tmp_path)
        assert not health._check_gpu({"gpu": {"devices": devices}}).ok


@pytest.mark.parametrize(("free", "ok"), [(2**30, True), (2**30 - 1, False)])
def test_little_space_is_a_warning(
    free: int,
    ok: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: Usage(0, 0, free))
    place = tmp_path / "not" / "there" / "yet"
    check = health._check_disk("runs", place)
    assert (check.ok, check.found) == (ok, f"1.0 GiB free for {place}")


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch):
    def fail() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", fail)
    check = health._check_cache()
    assert not check.ok
    assert "no home directory" in check.found
