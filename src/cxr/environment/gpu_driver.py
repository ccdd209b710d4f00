"""What the graphics driver tells without torch: its version, and how it has set each device.

No serial number and no UUID of a device is asked for.
"""

from __future__ import annotations

import csv
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.environment.system_files import ROOT, read_system_file

_VERSION_FILE: Final = "proc/driver/nvidia/version"
# The line goes on with who built the module, and on which machine.
_VERSION_LINE: Final = re.compile(
    r"^NVRM version:.* Kernel Module\b.*?\s(\d+(?:\.\d+)+)\s", re.MULTILINE
)
_VERSION: Final = re.compile(r"\d+(?:\.\d+)+")
_BUS: Final = re.compile(r"([0-9A-Fa-f]+):([0-9A-Fa-f]+):([0-9A-Fa-f]+)\.[0-9A-Fa-f]")

_PROGRAM: Final = "nvidia-smi"
# Source: nvidia-smi --help-query-gpu.
_FIELDS: Final = ("pci.bus_id", "driver_version", "ecc.mode.current", "mig.mode.current")
_MODES: Final = {"Enabled": True, "Disabled": False}
_TIMEOUT_S: Final = 10.0
"""A driver that hangs must not stop a run: what it would say affects no bits."""

Bus = tuple[int, int, int]
"""Where a device is plugged in: PCI domain, bus, device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverDevice:
    """One device as its driver has set it.

    Attributes:
        bus: Where it is plugged in; None where the driver does not tell.
        driver: The driver's version.
        ecc: Whether memory errors are corrected; None where it cannot.
        mig: Whether it can be cut into several (multi-instance); None where it cannot.
    """

    bus: Bus | None
    driver: str | None
    ecc: bool | None
    mig: bool | None


def read_driver_version(root: Path = ROOT) -> str | None:
    """Return the version of the loaded kernel module, or None where there is none.

    Args:
        root: Where the file system begins.
    """
    found = _VERSION_LINE.search(read_system_file(root / _VERSION_FILE))
    return found[1] if found else None


def ask_driver() -> list[DriverDevice]:
    """Return what ``nvidia-smi`` says; nothing where it is missing, hangs or fails."""
    try:
        answer = subprocess.run(  # noqa: S603 - fixed program and arguments
            [_PROGRAM, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_answer(answer.stdout) if answer.returncode == 0 else []


def parse_answer(text: str) -> list[DriverDevice]:
    """Return the devices of an answer of ``nvidia-smi``; lines of another form are passed over."""
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    return [
        DriverDevice(
            bus=_parse_bus(row[0].strip()),
            driver=row[1].strip() if _VERSION.fullmatch(row[1].strip()) else None,
            ecc=_MODES.get(row[2].strip()),
            mig=_MODES.get(row[3].strip()),
        )
        for row in rows
        if len(row) == len(_FIELDS)
    ]


def _parse_bus(text: str) -> Bus | None:
    """Return ``domain:bus:device.function`` as numbers."""
    found = _BUS.fullmatch(text)
    return (int(found[1], 16), int(found[2], 16), int(found[3], 16)) if found else None
