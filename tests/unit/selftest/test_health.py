"""Each line about the installation says what is there, and warns where it will not bear."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cxr.selftest import health
from cxr.selftest.check import Check

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
            {"dirty": None},
            False,
            "cxr 0.1.0, commit 0123456789ab, and git does not tell changes",
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


@pytest.mark.parametrize(
    ("cpu", "found"),
    [
        ({"cores": 4, "cores_available": 4}, "4 of 4"),
        ({"cores": 4, "cores_available": 4, "cores_quota": None}, "4 of 4"),
        ({"cores": 4, "cores_available": 1}, "1 of 4: affinity leaves this process no more"),
        (
            {"cores": 4, "cores_available": 4, "cores_quota": 1.5},
            "4 of 4; the control group gives it the time of 1.5",
        ),
    ],
)
def test_what_limits_the_cores_is_named_and_is_no_warning(cpu: dict[str, Any], found: str):
    check = health._check_cores({"cpu": cpu})
    assert (check.ok, check.found, check.mend) == (True, found, None)


MOVED = {"locked": "1", "installed": "2"}
GONE = {"locked": "1", "installed": None}
ELSEWHERE = {"locked": "index", "installed": "editable"}
INSTALLED = {**dict.fromkeys(("torch", "timm", *"abcd"), "2"), "odd": "1"}


@pytest.mark.parametrize(
    ("lock", "ok", "found", "mend"),
    [
        ({"digest": None, "differs": {}}, True, "no uv.lock governs these packages", None),
        ({"digest": "sha256:0", "differs": {}}, True, "installed as uv.lock has it", None),
        ({"digest": "sha256:0", "differs": "not_read"}, False, "uv.lock cannot be read", "uv lock"),
        (
            {"digest": "sha256:0", "differs": {"torch": MOVED, "timm": MOVED}},
            False,
            "2 packages are not as uv.lock has them: torch, timm",
            "uv sync",
        ),
        (
            {"digest": "sha256:0", "differs": dict.fromkeys("abcd", MOVED)},
            False,
            "4 packages are not as uv.lock has them: a, b, c, …",
            "uv sync",
        ),
        (
            {"digest": "sha256:0", "differs": {"odd": ELSEWHERE, "torch": MOVED, "gone": GONE}},
            False,
            "3 packages are not as uv.lock has them: odd, torch, gone",
            "uv sync --reinstall-package odd",
        ),
    ],
)
def test_packages_that_are_not_as_locked_are_a_warning(
    lock: dict[str, Any],
    ok: bool,  # noqa: FBT001
    found: str,
    mend: str | None,
):
    (check,) = health._check_lock({"lock": lock, "packages": INSTALLED})
    assert (check.ok, check.found, check.mend) == (ok, found, mend)


def test_a_capture_that_tells_of_no_lock_gives_no_line():
    assert health._check_lock({}) == []


def test_strict_holds_only_where_libraries_and_switches_bear():
    gpu = Check("gpu", ok=True, found="A, CUDA 13.0")
    capture = {"gpu": {"devices": [{"name": "A"}]}}
    sound = health.derive_promises([Check("torch", ok=True, found="2"), gpu], capture)
    assert [promise.holds for promise in sound.values()] == [True, True, True]
    assert sound["gpu"].why == "A, CUDA 13.0"
    for name in ("torch", "switches", "timm"):
        broken = Check(name, ok=False, found="is broken")
        found = health.derive_promises([broken, gpu], {"gpu": {"devices": "not_read"}})
        for level in ("strict", "portable"):
            assert (found[level].holds, found[level].why) == (False, f"{name}: is broken")
        assert not found["gpu"].holds
    # Images that decode otherwise do so on every run of this machine.
    decoders = Check("decoders", ok=False, found="other pixels")
    found = health.derive_promises([decoders, gpu], capture)
    assert found["strict"].holds
    # On another machine they decode to what is expected: the promise is between machines.
    assert (found["portable"].holds, found["portable"].why) == (False, "decoders: other pixels")


def test_a_package_is_mended_alone(monkeypatch: pytest.MonkeyPatch):
    assert health._derive_mend("pillow") == "uv sync --reinstall-package pillow"
    monkeypatch.setattr(health, "find_lock_file", lambda: None)
    assert health._derive_mend("pillow") == (
        f"uv pip install --reinstall-package pillow --no-deps pillow=={version('pillow')}"
    )
    assert health._derive_mend("no-such-thing") == "uv pip install no-such-thing"
