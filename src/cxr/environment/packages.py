"""Installed distributions."""

from __future__ import annotations

from typing import Any


def capture_packages() -> dict[str, str]:
    """Return the version of every installed distribution, by normalised name."""
    import importlib.metadata

    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        # An uninstall may leave a directory without metadata behind.
        metadata: Any = distribution.metadata
        name = metadata.get("Name") if metadata is not None else None
        if name:
            # The first one found is the one that Python imports.
            normalised = name.lower().replace("_", "-").replace(".", "-")
            found.setdefault(normalised, distribution.version)
    return dict(sorted(found.items()))
