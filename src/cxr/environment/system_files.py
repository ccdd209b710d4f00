"""Files in which the system tells about itself; on another system they are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path("/")
"""Where the file system begins, unless a test plants one of its own."""


def read_system_file(path: Path) -> str:
    """Return a file's text, empty where there is none or it may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def system_file_exists(path: Path) -> bool:
    """Say whether a file or directory is there and may be seen."""
    try:
        return path.exists()
    except OSError:
        return False
