"""Python and the operating system."""

from __future__ import annotations

import locale
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any


def capture_python() -> dict[str, Any]:
    """Return what tells one interpreter from another."""
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "build": " ".join(platform.python_build()),
        "compiler": platform.python_compiler(),
        "hash_randomization": bool(sys.flags.hash_randomization),
    }


def capture_os() -> dict[str, Any]:
    """Return system, C library, container, locale and time zone."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "container": _find_container(),
        "ci": os.environ.get("CI") == "true",
        "locale": ".".join(part for part in locale.getlocale() if part) or None,
        "time_zone": time.tzname[0],
    }


def _find_container() -> str | None:
    """Name the kind of container that this process runs in, where its marks are seen."""
    marks = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
    return next((kind for mark, kind in marks.items() if Path(mark).exists()), None)
