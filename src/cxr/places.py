"""Where a user's caches lie."""

from __future__ import annotations

import os
from pathlib import Path


def find_cache_directory(subject: str) -> Path | None:
    """Return the user's cache directory for one subject, or None without a home directory.

    Source: XDG Base Directory Specification: a relative ``XDG_CACHE_HOME`` is to be ignored.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        base = named if named.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "cxr" / subject
