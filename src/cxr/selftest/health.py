"""A short look at the installation: what a run here would stand on, and whether it will bear."""

from __future__ import annotations

import importlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.determinism.controls import ControlPlan, set_controls
from cxr.determinism.levels import Level
from cxr.environment.capture import capture_environment
from cxr.errors import CxrError
from cxr.progress import Progress
from cxr.records.run_directory import require_writable

_LIBRARIES: Final = ("numpy", "torch", "torchvision", "timm")
_ENOUGH_BYTES: Final = 2**30
"""Free space below which a warning is due: some checkpoints of a large model."""

_NVIDIA_DRIVER: Final = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Check:
    """One line about the installation.

    Attributes:
        name: What was looked at.
        ok: Whether it will bear; otherwise it is worth a warning.
        found: What was found, in one line.
    """

    name: str
    ok: bool
    found: str


def check_installation(progress: Progress) -> list[Check]:
    """Look at everything once; nothing is trained, and nothing but an empty file is written."""
    checks = []
    for number, library in enumerate(_LIBRARIES):
        progress.advance("importing libraries", number, len(_LIBRARIES))
        checks.append(_check_library(library))
    progress.advance("importing libraries", len(_LIBRARIES), len(_LIBRARIES))
    # After the imports: the capture reads from torch what torch alone knows.
    capture = capture_environment()
    python = capture["python"]
    return [
        Check("python", ok=True, found=f"{python['version']} ({python['compiler']})"),
        *checks,
        *([_check_switches(capture)] if all(check.ok for check in checks) else []),
        _check_canaries(capture),
        _check_cache(),
        _check_disk("runs", Path.cwd()),
        _check_code(capture),
        _check_gpu(capture),
    ]


def _check_library(name: str) -> Check:
    try:
        module: Any = importlib.import_module(name)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        # Two libraries that do not fit each other fail in any of these ways.
        return Check(name, ok=False, found=f"cannot be imported: {' '.join(str(error).split())}")
    return Check(name, ok=True, found=str(module.__version__))


def _check_switches(capture: dict[str, Any]) -> Check:
    """Set every switch for all cores, as ``strict`` does, and read it back."""
    cores = capture["cpu"]["cores_available"] or 1
    try:
        plan = ControlPlan(level=Level.STRICT, threads=cores, fill_memory=False)
        controls = set_controls(plan)
    except CxrError as error:
        return Check("switches", ok=False, found=error.problem)
    found = f"all {len(controls)} read back as set, {controls['torch.num_threads']} threads"
    return Check("switches", ok=True, found=f"{found} on {cores} of {os.cpu_count()} cores")


def _check_canaries(capture: dict[str, Any]) -> Check:
    images = capture["images"]
    if changed := images["canaries_changed"]:
        return Check(
            "decoders", ok=False, found=f"other pixels than expected: {', '.join(changed)}"
        )
    found = f"all {len(images['canaries'])} canaries give the expected pixels"
    return Check("decoders", ok=True, found=found)


def _check_cache() -> Check:
    """Look at the place of decoded images."""
    # Late: it stands on numpy, which may be what is missing.
    from cxr.data.cache import default_cache_directory

    try:
        directory = default_cache_directory()
        require_writable(directory)
    except CxrError as error:
        return Check("cache", ok=False, found=f"{error.problem} ({error.where})")
    return _check_disk("cache", directory)


def _check_disk(name: str, place: Path) -> Check:
    """Look at the space of the disk that ``place`` is on, or would be."""
    nearest = next(above for above in (place, *place.parents) if above.exists())
    free_bytes = shutil.disk_usage(nearest).free
    found = f"{free_bytes / 2**30:,.1f} GiB free for {place}"
    return Check(name, ok=free_bytes >= _ENOUGH_BYTES, found=found)


def _check_code(capture: dict[str, Any]) -> Check:
    code = capture["code"]
    if code["commit"] is None:
        known = "no checkout" if shutil.which("git") else "git is not installed"
        found = f"cxr {code['version']}, {known}: records name the sources by digest"
        return Check("code", ok=True, found=found)
    state = ", with changes that no commit holds" if code["dirty"] else ""
    found = f"cxr {code['version']}, commit {code['commit'][:12]}{state}"
    return Check("code", ok=not code["dirty"], found=found)


def _check_gpu(capture: dict[str, Any]) -> Check:
    devices = capture["gpu"]["devices"]
    if isinstance(devices, list) and devices:
        names = ", ".join(device["name"] for device in devices)
        return Check("gpu", ok=True, found=f"{names}, CUDA {capture['gpu']['cuda']}")
    if _NVIDIA_DRIVER.exists():
        return Check("gpu", ok=False, found="a driver is here, and torch finds no device")
    return Check("gpu", ok=True, found="none; runs on the CPU")
