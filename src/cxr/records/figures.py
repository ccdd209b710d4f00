"""Names of the figures that records hold, and the single figures by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

SCALARS: Final = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "loss")
"""Figures of a whole split that are single numbers, and that every record has."""

LATER_SCALARS: Final = ("average_precision", "brier_score", "expected_calibration_error")
"""Further ones, which records of version 0.1.0 have not."""

ALL_SCALARS: Final = (*SCALARS[:4], LATER_SCALARS[0], SCALARS[4], *LATER_SCALARS[1:])
"""All of them, in the order in which they are shown."""

LOWER_IS_BETTER: Final = ("loss", "brier_score", "expected_calibration_error")
"""Those of them of which a lower value is the better one."""

CLASS_FIGURES: Final = (
    "precision",
    "recall",
    "specificity",
    "f1",
    "auroc",
    "average_precision",
    "brier_score",
    "expected_calibration_error",
)
"""Figures of one class against all others, or of one label, that are shares or means."""

THRESHOLD_FIGURES: Final = ("threshold", "probability", "sensitivity", "specificity")
"""Of a class or label: the threshold that validation chose, and what it does on the split."""

VALIDATION_FIGURES: Final = ("sensitivity", "specificity", "youden")
"""Of a class or label: what the threshold does on validation, by which it was chosen."""

NO_VALUE: Final = "(none)"
"""How images without a value of a subgroup are called."""


def flatten_figures(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Return every single figure by its dotted name; None: undefined.

    What an edit has left of another form is no figure; see `list_figures` for the names.

    Args:
        metrics: As manifests hold them.
    """
    return {
        name: value
        for name, value in list_figures(metrics)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }


def list_figures(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the dotted name of every single figure, and whatever stands there.

    Figures of a class are ``per_class.<class>.<figure>``, those at the chosen threshold
    ``thresholds.per_class.<class>.<figure>``, with ``validation.`` before the figure where they are
    of validation, and those of a subgroup ``subgroups.<name>.<value>.<figure>``, with
    ``per_class.<class>.`` before the figure where they are of a class. Counts and curves are none.
    A part that is no map is yielded by its own name, as text.

    Args:
        metrics: As manifests hold them.
    """
    yield from _pick("", metrics, ALL_SCALARS)
    yield from _list_classes("", metrics)
    for name, found in _list_parts("thresholds.", metrics.get("thresholds"), "per_class"):
        # Where validation has one side alone there is no threshold: all is undefined.
        kept = dict.fromkeys(THRESHOLD_FIGURES) if found is None else found
        yield from _pick(f"{name}.", kept, THRESHOLD_FIGURES)
        chosen_by = kept.get("validation") if isinstance(kept, dict) else None
        yield from _pick(f"{name}.validation.", chosen_by, VALIDATION_FIGURES)
    for name, table in _list_parts("", metrics, "subgroups"):
        rows = table.get("rows") if isinstance(table, dict) else None
        for row in rows if isinstance(rows, list) else ():
            value = row.get("value") if isinstance(row, dict) else None
            prefix = f"{name}.{NO_VALUE if value is None else value}."
            yield from _pick(prefix, row, ALL_SCALARS)
            yield from _list_classes(prefix, row)


def _list_classes(prefix: str, holder: Any) -> Iterator[tuple[str, Any]]:
    for name, found in _list_parts(prefix, holder, "per_class"):
        yield from _pick(f"{name}.", found, CLASS_FIGURES)


def _list_parts(prefix: str, holder: Any, part: str) -> Iterator[tuple[str, Any]]:
    """Yield what a part of a record holds, by dotted name."""
    found = holder.get(part) if isinstance(holder, dict) else None
    if isinstance(found, dict):
        yield from ((f"{prefix}{part}.{name}", value) for name, value in found.items())
    elif found is not None:
        yield f"{prefix}{part}", str(found)


def _pick(prefix: str, holder: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield those of the figures that are there."""
    if isinstance(holder, Mapping):
        yield from ((prefix + name, holder[name]) for name in names if name in holder)
    elif holder is not None:
        yield prefix.removesuffix("."), str(holder)
