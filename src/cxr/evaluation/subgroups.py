"""Figures of the images that share a value, such as one sex or one kind of pneumonia.

Figures are exact, so those of one patient would tell that patient's label and decision. So a value
is shown only where enough patients have it, and what is shown must not tell by subtraction of what
is not: the values that are hidden have enough patients together as well. A hidden value is not
named either, because a column of names has a name in each of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cxr.determinism.levels import Level
from cxr.evaluation.split_figures import describe_split
from cxr.records.figures import ALL_SCALARS
from cxr.records.predictions import Prediction

MIN_PATIENTS: Final = 10
"""Fewest patients of which together figures are told."""

_IN_ROWS: Final = ("support", "recall", "specificity", "auroc")


def describe_subgroups(
    classes: Sequence[str],
    predictions: Sequence[Prediction],
    values: Mapping[str, Mapping[str, str | None]],
    groups: Mapping[str, str],
    *,
    level: Level = Level.STRICT,
) -> dict[str, dict[str, Any]]:
    """Return a table for each subgroup.

    Args:
        classes: Class names in label order.
        predictions: One an image.
        values: By subgroup and path, the image's value, or None.
        groups: The patient of each path.
        level: The promise.

    Returns:
        By subgroup: ``min_patients``; ``rows``, in the order of their values, each with its
        ``value`` (None for images without one), ``patients``, ``num_images``, every scalar figure
        and, by class, a few; and ``hidden_values``, how many values are not told.
    """
    return {
        name: _describe_table(classes, predictions, by_path, groups, level)
        for name, by_path in values.items()
    }


def _describe_table(
    classes: Sequence[str],
    predictions: Sequence[Prediction],
    by_path: Mapping[str, str | None],
    groups: Mapping[str, str],
    level: Level,
) -> dict[str, Any]:
    members: defaultdict[str | None, list[Prediction]] = defaultdict(list)
    for row in predictions:
        members[by_path[row.path]].append(row)
    patients = {value: {groups[row.path] for row in rows} for value, rows in members.items()}
    hidden = _choose_hidden(patients)
    # Images without a value stand at the end.
    shown = sorted(members.keys() - hidden, key=lambda value: (value is None, value or ""))
    return {
        "min_patients": MIN_PATIENTS,
        "rows": [
            {
                "value": value,
                "patients": len(patients[value]),
                **_describe_row(classes, members[value], level),
            }
            for value in shown
        ],
        "hidden_values": len(hidden),
    }


def _choose_hidden(patients: Mapping[str | None, set[str]]) -> set[str | None]:
    """Return values with too few patients, and the next larger ones until they are enough together.

    Whoever knows the figures of the whole and of all values but one knows those of that one.
    """
    by_size = sorted(patients, key=lambda value: (len(patients[value]), value is None, value or ""))
    hidden: set[str | None] = set()
    together: set[str] = set()
    for value in by_size:
        is_small = len(patients[value]) < MIN_PATIENTS
        if not is_small and (not hidden or len(together) >= MIN_PATIENTS):
            break
        hidden.add(value)
        together |= patients[value]
    return hidden


def _describe_row(
    classes: Sequence[str], predictions: Sequence[Prediction], level: Level
) -> dict[str, Any]:
    figures = describe_split(classes, predictions, level=level)
    return {
        "num_images": figures["num_images"],
        **{name: figures[name] for name in ALL_SCALARS},
        "per_class": {
            name: {figure: found[figure] for figure in _IN_ROWS}
            for name, found in figures["per_class"].items()
        },
    }
