"""Whether a version lies in the ranges of an advisory.

Source: Open Source Vulnerability format, "Evaluation": events in the order of their versions,
``introduced`` begins a range, ``fixed`` ends it before its version and ``last_affected`` after it;
with ``limit`` events, only versions before one of them count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from packaging.version import Version

EventKind = Literal["introduced", "fixed", "last_affected", "limit"]

_ORDER: Final = ("fixed", "introduced", "last_affected")
"""At one version. A range may end where the next begins, and may be one version long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a range.

    Attributes:
        kind: What happened.
        version: In which version; None: before all of them (``introduced`` in ``0``), or, for a
            ``limit``, after all of them (``*``).
    """

    kind: EventKind
    version: Version | None


def is_in_range(version: Version, events: Sequence[Event]) -> bool:
    """Say whether a version is affected, by the events of one range."""
    limits = [event.version for event in events if event.kind == "limit"]
    if limits and not any(limit is None or version < limit for limit in limits):
        return False
    affected = False
    for event in _sort(event for event in events if event.kind != "limit"):
        if event.kind == "introduced":
            reached = event.version is None or version >= event.version
            affected = affected or reached
        elif event.version is not None:
            past = version >= event.version if event.kind == "fixed" else version > event.version
            affected = affected and not past
    return affected


def _sort(events: Iterable[Event]) -> list[Event]:
    """Return events in the order of their versions, and of what they are."""
    return sorted(
        events,
        key=lambda event: (
            event.version is not None,
            event.version or Version("0"),
            _ORDER.index(event.kind),
        ),
    )
