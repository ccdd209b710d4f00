"""What of the environment stands between a record and the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cxr.compare.environment_report import EnvironmentReport
from cxr.reproduce.plan import Item

_SYNCED: Final = ("packages", "origins", "python.version")
"""Facts that an environment built aside puts right, and what follows from them."""

_NOT_COMPARED: Final = ("code.", "packages.cxr", "origins.cxr")
"""Of cxr itself the sources' digest says what matters."""

_NOT_OF_A_RUN: Final = ("switches", "installed")
"""A run has its switches in its manifest, and does not hash what is installed."""


def check_environment(
    report: EnvironmentReport, *, synced: bool, told_by_manifest: bool
) -> Iterator[Item]:
    """Yield an item for each fact that differs; the sources are looked at elsewhere.

    Args:
        report: The record's environment against the one that it would run in.
        synced: Whether that one was built aside, from the recorded packages.
        told_by_manifest: Whether a manifest alone tells of the record's; then what it does not tell
            is an item too.
    """
    for one in report.differences:
        if one.field.startswith(_NOT_COMPARED):
            continue
        # An environment built aside lies beside no lock.
        if synced and one.field.startswith("lock."):
            continue
        is_mended_aside = one.field.startswith(_SYNCED) and one.affects_bits != "no"
        yield Item(
            part="environment",
            field=one.field,
            expected=one.expected,
            found=one.found,
            affects_bits=one.affects_bits,
            do=f"{one.do}; or cxr reproduce --sync" if is_mended_aside and not synced else one.do,
        )
    if told_by_manifest:
        for name in report.unread:
            if name.partition(".")[0] not in _NOT_OF_A_RUN:
                yield _describe_unread(name)


def _describe_unread(name: str) -> Item:
    """Return the item for a fact that affects bits and that the record does not tell."""
    return Item(
        part="environment",
        field=name,
        expected="not recorded",
        found=None,
        affects_bits="unknown",
        do="use a record that tells it: the run directory, or a manifest of this version",
    )
