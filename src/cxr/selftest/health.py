"""A short look at the installation: what a run here would stand on, and whether it will bear."""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from cxr.determinism.levels import PROMISES, Level
from cxr.environment.capture import capture_environment
from cxr.environment.facts import AS_INSTALLED
from cxr.environment.images import find_decoder_fault
from cxr.environment.install_commands import derive_reinstall
from cxr.environment.lock_file import find_lock_file
from cxr.errors import IMPORT_FAULTS, CxrError
from cxr.progress import Progress
from cxr.selftest.check import Check
from cxr.selftest.free_space import check_cache, check_runs

_LIBRARIES: Final = ("numpy", "torch", "torchvision", "timm")
_THREAD_POOLS: Final = "threadpoolctl"
"""What sets and reads back the threads; a person need not hear of it unless it is missing."""

_SHOWN: Final = 3
_FRESH: Final = 'start it without what this shell has set: env -i HOME="$HOME" PATH="$PATH" cxr ...'

_NVIDIA_DRIVER: Final = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Promise:
    """What can be promised here.

    Attributes:
        holds: Whether it can.
        why: What it is, or why not.
    """

    holds: bool
    why: str


@dataclass(frozen=True, slots=True)
class Health:
    """What was looked at, and what this machine can promise therefore.

    Attributes:
        promises: By level, and for the GPU.
        checks: In the order of looking.
    """

    promises: dict[str, Promise]
    checks: list[Check]


def check_installation(progress: Progress) -> Health:
    """Look at everything once; nothing is trained, and nothing but an empty file is written."""
    checks = []
    for number, library in enumerate(_LIBRARIES):
        progress.advance("importing libraries", number, len(_LIBRARIES))
        checks.append(_check_library(library))
    pools = _check_library(_THREAD_POOLS)
    checks += [] if pools.ok else [pools]
    able = all(check.ok for check in checks)
    progress.advance("importing libraries", len(_LIBRARIES), len(_LIBRARIES))
    # After the imports: the capture reads from torch what torch alone knows.
    capture = capture_environment()
    python = capture["python"]
    checks = [
        Check("python", ok=True, found=f"{python['version']} ({python['compiler']})"),
        *checks,
        *([_check_switches(capture)] if able else []),
        _check_cores(capture),
        _check_canaries(capture),
        check_cache(),
        check_runs(),
        *_check_imports(capture),
        *_check_lock(capture),
        _check_code(capture),
        _check_gpu(capture),
    ]
    return Health(promises=derive_promises(checks, capture), checks=checks)


def derive_promises(checks: Sequence[Check], capture: dict[str, Any]) -> dict[str, Promise]:
    """Return what this machine can promise, by what was looked at.

    Args:
        checks: Those of the libraries, the switches and the GPU among them.
        capture: The environment.
    """
    broken = [
        one for one in checks if not one.ok and one.name in (*_LIBRARIES, _THREAD_POOLS, "switches")
    ]
    strict = Promise(holds=True, why=PROMISES[Level.STRICT])
    if broken:
        strict = Promise(holds=False, why=f"{broken[0].name}: {broken[0].found}")
    gpu = next(one for one in checks if one.name == "gpu")
    devices = capture["gpu"]["devices"]
    return {
        "strict": strict,
        "portable": _derive_portable(strict, checks),
        "gpu": Promise(holds=isinstance(devices, list) and bool(devices), why=gpu.found),
    }


def _derive_portable(strict: Promise, checks: Sequence[Check]) -> Promise:
    """Return what holds on any machine: libraries that work, and images decoded as elsewhere."""
    if not strict.holds:
        return strict
    for one in checks:
        if one.name == "decoders" and not one.ok:
            return Promise(holds=False, why=f"{one.name}: {one.found}")
    return Promise(holds=True, why=PROMISES[Level.PORTABLE])


def _check_library(name: str) -> Check:
    try:
        module: Any = importlib.import_module(name)
    except IMPORT_FAULTS as error:
        # Two libraries that do not fit each other fail in any of these ways.
        found = f"cannot be imported: {' '.join(str(error).split())}"
        return Check(name, ok=False, found=found, mend=_derive_mend(name))
    return Check(name, ok=True, found=str(module.__version__))


def _derive_mend(name: str) -> str:
    """Return the command that mends a package, and no other."""
    try:
        installed = version(name)
    except PackageNotFoundError:
        installed = None
    locked = find_lock_file() is not None
    if locked or installed is not None:
        return derive_reinstall(name, installed, locked=locked)
    return f"uv pip install {name}"


def _check_switches(capture: dict[str, Any]) -> Check:
    """Set every switch for all cores, as ``strict`` does, and read it back."""
    # Late: it stands on libraries that may be what is missing.
    from cxr.determinism.controls import ControlPlan, set_controls

    cores = capture["cpu"]["cores_available"] or 1
    try:
        plan = ControlPlan(level=Level.STRICT, threads=cores, fill_memory=False)
        controls = set_controls(plan)
    except CxrError as error:
        return Check("switches", ok=False, found=error.problem, mend=_FRESH)
    found = f"all {len(controls)} read back as set, {controls['torch.num_threads']} threads"
    return Check("switches", ok=True, found=f"{found} on {cores} of {os.cpu_count()} cores")


def _check_canaries(capture: dict[str, Any]) -> Check:
    images = capture["images"]
    if images["canaries"] is None:
        fault = find_decoder_fault() or "could not be imported"
        mend = _derive_mend("pillow")
        return Check("decoders", ok=False, found=f"pillow {fault}", mend=mend)
    if changed := images["canaries_changed"]:
        found = f"other pixels than expected: {', '.join(changed)}"
        return Check("decoders", ok=False, found=found, mend=_derive_mend("pillow"))
    found = f"all {len(images['canaries'])} canaries give the expected pixels"
    return Check("decoders", ok=True, found=found)


def _check_cores(capture: dict[str, Any]) -> Check:
    """Say how many cores this process has; fewer than there are make it slower, never other."""
    cpu = capture["cpu"]
    found = f"{cpu['cores_available']} of {cpu['cores']}"
    if cpu["cores_available"] != cpu["cores"]:
        found += ": affinity leaves this process no more"
    quota = cpu.get("cores_quota")
    if isinstance(quota, int | float):
        found += f"; the control group gives it the time of {quota:g}"
    return Check("cores", ok=True, found=found)


def _check_imports(capture: dict[str, Any]) -> list[Check]:
    """Name packages that Python does not import from where they were installed."""
    imported = capture.get("imported", {})
    shadowed = [name for name, place in imported.items() if place != AS_INSTALLED]
    if not shadowed:
        return []
    found = f"not from where it was installed: {', '.join(shadowed)}; its version is not known"
    mend = f"unset PYTHONPATH, and start where no {shadowed[0]}/ or {shadowed[0]}.py lies"
    return [Check("imports", ok=False, found=found, mend=mend)]


def _check_lock(capture: dict[str, Any]) -> list[Check]:
    """Compare what is installed with the lock that governs it, where captures tell."""
    lock = capture.get("lock")
    if not isinstance(lock, dict):
        return []
    if lock["digest"] is None:
        return [Check("lock", ok=True, found="no uv.lock governs these packages")]
    differs = lock["differs"]
    if not isinstance(differs, dict):
        return [Check("lock", ok=False, found="uv.lock cannot be read", mend="uv lock")]
    if not differs:
        return [Check("lock", ok=True, found="installed as uv.lock has it")]
    shown = ", ".join([*differs][:_SHOWN]) + (", …" if len(differs) > _SHOWN else "")
    found = f"{len(differs)} packages are not as uv.lock has them: {shown}"
    # Those of the version that is locked, but from elsewhere, which alone uv may leave as it is.
    moved = [
        f" --reinstall-package {shlex.quote(name)}"
        for name, one in differs.items()
        if one["installed"] not in (None, capture["packages"].get(name))
    ]
    return [Check("lock", ok=False, found=found, mend=f"uv sync{''.join(moved)}")]


def _check_code(capture: dict[str, Any]) -> Check:
    code = capture["code"]
    if code["commit"] is None:
        known = "no checkout" if shutil.which("git") else "git is not installed"
        found = f"cxr {code['version']}, {known}: records name the sources by digest"
        return Check("code", ok=True, found=found)
    if code["dirty"] is None:
        found = (
            f"cxr {code['version']}, commit {code['commit'][:12]}, and git does not tell changes"
        )
        return Check("code", ok=False, found=found, mend="git status says what hinders it")
    state = ", with changes that no commit holds" if code["dirty"] else ""
    found = f"cxr {code['version']}, commit {code['commit'][:12]}{state}"
    mend = "git commit, or git stash" if code["dirty"] else None
    return Check("code", ok=not code["dirty"], found=found, mend=mend)


def _check_gpu(capture: dict[str, Any]) -> Check:
    devices = capture["gpu"]["devices"]
    if isinstance(devices, list) and devices:
        names = ", ".join(device["name"] for device in devices)
        return Check("gpu", ok=True, found=f"{names}, CUDA {capture['gpu']['cuda']}")
    if _NVIDIA_DRIVER.exists():
        found = "a driver is here, and torch finds no device"
        mend = "uv pip install --reinstall-package torch torch --torch-backend auto"
        return Check("gpu", ok=False, found=found, mend=mend)
    return Check("gpu", ok=True, found="none; runs on the CPU")
