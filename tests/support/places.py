"""Surroundings that must not matter to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PLANTED = ("planted-host", "planted-user", "planted-home")
"""Names of machine, user and home directory that no record may hold."""


def elsewhere(directory: Path) -> dict[str, Any]:
    """Return options of `run_cxr`: another directory, user, machine, hash seed, order."""
    home = directory / "planted-home"
    home.mkdir(exist_ok=True)
    return {
        "cwd": directory,
        "fault": "named-machine",
        "variables_backwards": True,
        "env": {
            "PYTHONHASHSEED": "123",
            "OMP_NUM_THREADS": "7",
            "HOME": str(home),
            "LOGNAME": "planted-user",
            "USER": "planted-user",
        },
    }
