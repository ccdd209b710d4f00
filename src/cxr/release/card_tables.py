"""The card's tables: figures with their intervals, and what the data set holds, in counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cxr.records.data_lock import DataLock
from cxr.records.figures import ALL_SCALARS
from cxr.release.card_markdown import escape, render_table

_SPLITS: Final = ("train", "val", "test")


def describe_figures(figures: Mapping[str, Any], intervals: Mapping[str, Any] | None) -> str:
    """Return the tables of a split's figures.

    Args:
        figures: The manifest's ``metrics``.
        intervals: As `derive_intervals` returns them.
    """
    rows = []
    for name in ALL_SCALARS:
        if name in figures:
            found = intervals["whole"].get(name) if intervals is not None else None
            rows.append([name.replace("_", " "), _number(figures[name]), _interval(found)])
    whole = render_table(["figure", "value", "95 % interval"], rows)
    each = render_table(
        ["class", "images", "recall", "specificity", "precision", "AUROC"],
        [
            [
                escape(name),
                f"{found['support']:,}",
                *(_number(found.get(key)) for key in ("recall", "specificity", "precision")),
                _number(found.get("auroc")),
            ]
            for name, found in figures["per_class"].items()
        ],
    )
    how = (
        f"Intervals by bootstrap over {intervals['num_groups']:,} patients, "
        f"{intervals['replicates']:,} resamples.\n\n"
        if intervals is not None
        else ""
    )
    return f"Split {figures['split']}.\n\n{whole}\n\n{how}{each}"


def _interval(found: Mapping[str, Any] | None) -> str:
    if found is None or found["low"] is None:
        return "none"
    return f"{_number(found['low'])} to {_number(found['high'])}"


def describe_data(lock: DataLock, digest: str) -> str:
    """Return counts by class and split: no sample is named.

    Args:
        lock: The samples.
        digest: Of the data.
    """
    counts = {split: lock.count_answers(split) for split in _SPLITS}
    rows = [
        [escape(name), *(f"{counts[split][name][0]:,}" for split in _SPLITS)]
        for name in lock.classes
    ]
    samples = [lock.of_split(split) for split in _SPLITS]
    rows.append(["**images**", *(f"{len(of_split):,}" for of_split in samples)])
    groups = [len({sample.group for sample in of_split}) for of_split in samples]
    rows.append(["**patients (groups)**", *(f"{number:,}" for number in groups)])
    table = render_table(["class", *_SPLITS], rows)
    return f"{table}\n\nDigest of every image, label and split: `{digest}`"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4g}"
