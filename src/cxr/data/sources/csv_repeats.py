"""What several rows of one image add up to: a row a box, or a row a reader."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cxr.config.data_section import DataConfig
from cxr.data.sources.csv_rows import UnfitRowError
from cxr.data.sources.source import FoundImage
from cxr.label_text import format_labels, parse_labels

_FIELDS: Final = {"group": "patient", "split": "split"}
"""What each row of an image must say alike, and what users call it."""


def join_rows(first: FoundImage, other: FoundImage, *, line: int, config: DataConfig) -> FoundImage:
    """Return what an image's earlier rows and one more say together.

    Args:
        first: What the earlier rows say.
        other: What the further row says of the same image.
        line: Of the first of them.
        config: Its ``csv.repeats`` says how labels are joined.

    Raises:
        UnfitRowError: Several rows are not foreseen, or they cannot be joined.
    """
    rule = config.csv.repeats
    if rule is None:
        said = f"{other.path!r} stands on line {line} already"
        raise UnfitRowError(f"{said}; several rows an image need data.csv.repeats")
    for field, name in _FIELDS.items():
        # Patients are nobody's business in a message: neither of them is named.
        if getattr(first, field) != getattr(other, field):
            raise UnfitRowError(f"{other.path!r} has another {name} than on line {line}")
    if first.label == other.label:
        return first
    if rule == "same":
        said = f"{other.path!r} is {other.label!r}, and from line {line} on {first.label!r}"
        raise UnfitRowError(said)
    return replace(first, label=_join_labels(first.label, other.label, config.classes))


def _join_labels(one: str, other: str, classes: tuple[str, ...]) -> str:
    """Return the labels that either text has; what one alone does not know is unknown."""
    pairs = zip(parse_labels(classes, one), parse_labels(classes, other), strict=True)
    return format_labels(
        classes, tuple(True if True in pair else None if None in pair else False for pair in pairs)
    )
