"""All that a record says of a split: its figures, thresholds from validation, its subgroups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cxr.determinism.levels import Level
from cxr.evaluation.split_figures import describe_split
from cxr.evaluation.subgroups import describe_subgroups
from cxr.evaluation.thresholds import describe_thresholds
from cxr.records.data_lock import DataLock
from cxr.records.predictions import Prediction


def describe_evaluation(
    lock: DataLock,
    predictions: Sequence[Prediction],
    validation: Sequence[Prediction] | None,
    subgroups: Mapping[str, Mapping[str, str | None]],
    *,
    level: Level,
    missing: str = "there is no validation split",
) -> dict[str, Any]:
    """Return what a manifest holds under ``metrics``, the name of the split left out.

    Args:
        lock: The samples, for class names and groups.
        predictions: Of the split.
        validation: Of the validation split under the same weights; None where there are none.
        subgroups: By subgroup and path, the image's value.
        level: The promise.
        missing: Why there are no predictions of the validation split.
    """
    described = {
        **describe_split(lock.classes, predictions, level=level),
        "thresholds": describe_thresholds(
            lock.classes, validation, predictions, level=level, missing=missing
        ),
    }
    if subgroups:
        groups = {sample.path: sample.group for sample in lock.samples}
        described["subgroups"] = describe_subgroups(
            lock.classes, predictions, subgroups, groups, level=level
        )
    return described
