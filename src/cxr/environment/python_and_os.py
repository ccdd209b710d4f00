"""Python and the operating system."""

from __future__ import annotations

import locale
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any, Final

from cxr.environment.container import find_container, find_container_image
from cxr.environment.system_files import ROOT

# What the C library makes of `TZ` is whatever somebody wrote there; this is a zone's abbreviation.
_ZONE: Final = re.compile(r"[A-Za-z]{3,5}|[+-]\d{2,4}")


def capture_python() -> dict[str, Any]:
    """Return what tells one interpreter from another."""
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "build": " ".join(platform.python_build()),
        "compiler": platform.python_compiler(),
        "hash_randomization": bool(sys.flags.hash_randomization),
    }


def capture_os(root: Path = ROOT) -> dict[str, Any]:
    """Return system, kernel, C library, container, locale and time zone.

    Args:
        root: Where the file system begins.
    """
    zone = time.tzname[0]
    return {
        "system": platform.system(),
        "release": platform.release(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "container": find_container(root),
        "container_image": find_container_image(root),
        "ci": os.environ.get("CI") == "true",
        "locale": _read_locale(),
        "time_zone": zone if _ZONE.fullmatch(zone) else None,
    }


def _read_locale() -> str | None:
    """Return language and encoding, None where there is none or Python does not know them."""
    try:
        return ".".join(part for part in locale.getlocale() if part) or None
    except ValueError:
        # Such as the ``UTF-8`` that some terminals give instead of a name.
        return None
