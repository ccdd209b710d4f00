"""Installed distributions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Final

from packaging.version import InvalidVersion, Version

UNKNOWN: Final = "unknown"
"""In place of a version or an origin that is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution that Python finds here.

    Attributes:
        version: As its metadata has it; ``unknown`` where that is no version.
        distribution: Where its files are read from.
    """

    version: str
    distribution: Distribution


def normalise_name(name: str) -> str:
    """Return a distribution's name as indexes, locks and advisories write it.

    Source: PEP 503.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def find_distributions() -> dict[str, Installed]:
    """Return every installed distribution, by normalised name.

    One whose metadata cannot be read has the name and the version of its directory.
    """
    import importlib.metadata

    found: dict[str, Installed] = {}
    for distribution in importlib.metadata.distributions():
        name, version = _read_name(distribution)
        if name:
            # The first one found is what pip and Python's own metadata tell of; whether it is the
            # one that is imported, `imported` says.
            found.setdefault(
                normalise_name(name), Installed(version=version, distribution=distribution)
            )
    return dict(sorted(found.items()))


def _read_name(distribution: Distribution) -> tuple[str | None, str]:
    """Return a distribution's name and version; None where it has none."""
    try:
        # An uninstall may leave a directory without metadata behind.
        metadata: Any = distribution.metadata
        if metadata is None:
            return None, UNKNOWN
        return metadata.get("Name"), _require_version(metadata.get("Version"))
    except (OSError, ValueError):
        # It is not UTF-8, or may not be read. Source: PEP 376 for the directory's name; Python has
        # no public way to it.
        directory = Path(str(getattr(distribution, "_path", ""))).name
        name, _, rest = directory.partition("-")
        return name or None, _require_version(rest.removesuffix(".dist-info"))


def _require_version(version: object) -> str:
    """Return a version, ``unknown`` for a text that may be anything else, such as a path.

    Source: PEP 440.
    """
    try:
        Version(str(version))
    except InvalidVersion:
        return UNKNOWN
    return str(version)


def capture_packages(found: Mapping[str, Installed] | None = None) -> dict[str, str]:
    """Return the version of every installed distribution, by normalised name.

    Args:
        found: What `find_distributions` returned, so that it need not look twice.
    """
    distributions = find_distributions() if found is None else found
    return {name: installed.version for name, installed in distributions.items()}
