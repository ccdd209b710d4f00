"""What several runs say of the images that all of them predicted."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cxr.digests.files import digest_file
from cxr.records.predictions import Prediction, load_predictions
from cxr.records.run_directory import PREDICTIONS
from cxr.reports.html.several.members import Member
from cxr.reports.html.wording import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """What R runs say of N images, in C classes or labels.

    Attributes:
        runs: Their labels.
        classes: Class names in label order.
        paths: Of the images, in the first run's order.
        labels: Of the images.
        decisions: By run, what it decides of each image. Shape (R, N).
        probabilities: By class, then by run, that of each image. Shape (C, R, N).
        num_only_in_some: Images that not all runs predicted.
    """

    runs: Sequence[str]
    classes: Sequence[str]
    paths: Sequence[str]
    labels: Sequence[str]
    decisions: Sequence[Sequence[str]]
    probabilities: Sequence[Sequence[array[float]]]
    num_only_in_some: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """What one run says of each image of the first run; None and NaN where it has none."""

    decisions: Sequence[str | None]
    probabilities: Sequence[array[float]]
    num_others: int


def collect_opinions(done: Sequence[Member]) -> Opinions | str:
    """Read the predictions of runs, one after the other, or say why they do not compare.

    Runs with the same predictions share what was read.

    Args:
        done: At least one run that completed.

    Raises:
        RecordError: Predictions cannot be read.
    """
    classes, first = load_predictions(done[0].directory / PREDICTIONS)
    labels = {row.path: row.label for row in first}
    read: dict[str, _Columns] = {}
    digests = []
    for run in done:
        path = run.directory / PREDICTIONS
        digest = digest_file(path)
        digests.append(digest)
        if digest in read:
            continue
        names, rows = load_predictions(path)
        if names != classes:
            return f"{run.label} has other classes than {done[0].label}"
        other = sum(labels.get(row.path, row.label) != row.label for row in rows)
        if other:
            return f"{count(other, 'image')} have another label in {run.label}"
        read[digest] = _arrange(rows, labels, len(classes))
    held = list(read.values())
    shared = [
        place
        for place in range(len(first))
        if all(one.decisions[place] is not None for one in held)
    ]
    if not shared:
        return "no image was predicted by all runs"
    return _select(done, classes, first, [read[digest] for digest in digests], shared)


def _arrange(rows: Sequence[Prediction], labels: Mapping[str, str], num_classes: int) -> _Columns:
    """Put a run's predictions into the first run's order."""
    places = {path: place for place, path in enumerate(labels)}
    decisions: list[str | None] = [None] * len(places)
    probabilities = [array("d", [math.nan]) * len(places) for _ in range(num_classes)]
    # Many images have one of few decisions: each text is kept once.
    texts: dict[str, str] = {}
    num_others = 0
    for row in rows:
        place = places.get(row.path)
        if place is None:
            num_others += 1
            continue
        decisions[place] = texts.setdefault(row.decision, row.decision)
        for column, value in zip(probabilities, row.probabilities, strict=True):
            column[place] = value
    return _Columns(decisions=decisions, probabilities=probabilities, num_others=num_others)


def _select(
    done: Sequence[Member],
    classes: Sequence[str],
    first: Sequence[Prediction],
    columns: Sequence[_Columns],
    shared: Sequence[int],
) -> Opinions:
    missing = len(first) - len(shared)
    return Opinions(
        runs=[run.label for run in done],
        classes=classes,
        paths=[first[place].path for place in shared],
        labels=[first[place].label for place in shared],
        decisions=[[one.decisions[place] or "" for place in shared] for one in columns],
        probabilities=[
            [array("d", (one.probabilities[index][place] for place in shared)) for one in columns]
            for index in range(len(classes))
        ],
        num_only_in_some=missing + max(one.num_others for one in columns),
    )
