"""Installed distributions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution that Python finds here.

    Attributes:
        version: As its metadata has it.
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
    """Return every installed distribution, by normalised name."""
    import importlib.metadata

    found: dict[str, Installed] = {}
    for distribution in importlib.metadata.distributions():
        # An uninstall may leave a directory without metadata behind.
        metadata: Any = distribution.metadata
        name = metadata.get("Name") if metadata is not None else None
        if name:
            # The first one found is what pip and Python's own metadata tell of; whether it is the
            # one that is imported, `imported` says.
            found.setdefault(
                normalise_name(name),
                Installed(version=metadata.get("Version") or "unknown", distribution=distribution),
            )
    return dict(sorted(found.items()))


def capture_packages(found: Mapping[str, Installed] | None = None) -> dict[str, str]:
    """Return the version of every installed distribution, by normalised name.

    Args:
        found: What `find_distributions` returned, so that it need not look twice.
    """
    distributions = find_distributions() if found is None else found
    return {name: installed.version for name, installed in distributions.items()}
