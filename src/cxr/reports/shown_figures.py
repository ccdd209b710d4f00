"""Which figures a table shows: the main ones, or every one that the records hold."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from cxr.records.figures import SCALARS

MAIN_FIGURES: Final = SCALARS
"""What a table shows unless all is asked for: each record has these."""


def choose_figures(names: Collection[str], *, every: bool) -> list[str]:
    """Return the names that a table shows, in their order.

    Args:
        names: Of all figures that there are.
        every: Whether all are asked for.
    """
    return [name for name in names if every or name in MAIN_FIGURES]


def describe_left_out(names: Collection[str], *, every: bool) -> str | None:
    """Return how many figures a table leaves out, and how to see them; None where it has all."""
    num = len(names) - len(choose_figures(names, every=every))
    if not num:
        return None
    what = "1 more figure" if num == 1 else f"{num} more figures"
    return f"and {what}: --figures all"
