"""Prints the digest of every interval of a made-up split; with a number, in blocks of so many."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import numpy as np

from cxr.statistics.bootstrap import FigureIntervals, bootstrap_differences, bootstrap_figures
from cxr.statistics.cases import Cases, build_class_cases
from cxr.statistics.intervals import Interval

NUM_IMAGES = 300


def build_split(shift: int) -> tuple[Cases, Any]:
    """Return the cases of a model and the patients: whole numbers and quotients of them alone."""
    numbers = np.arange(NUM_IMAGES) * 7919 % 1009
    labels = numbers % 3
    scores = np.stack([(numbers * (k + 2 + shift)) % 97 / 31 for k in range(3)], axis=1)
    scores[np.arange(NUM_IMAGES), labels] += 1 / 3
    decisions = scores.argmax(axis=1)
    shares = scores / scores.sum(axis=1, keepdims=True)
    chosen = shares.max(axis=1)
    sums = {"loss": 1 / shares[np.arange(NUM_IMAGES), labels], "brier": (1 - chosen) ** 2}
    cases = build_class_cases(
        labels,
        decisions,
        scores,
        sums=sums,
        bins=(chosen * 10).astype(int),
        gaps=chosen - (decisions == labels),
    )
    return cases, numbers % 83


def digest_intervals(block: int | None) -> str:
    """Return the SHA-256 of all intervals, to the last bit."""
    (first, patients), (second, _) = build_split(0), build_split(1)
    found = [
        # Of one the calibration error has an interval, of the other it has none.
        *(
            bootstrap_figures(one, patients, root=5, replicates=300, block=block)
            for one in (first, second)
        ),
        bootstrap_differences(first, second, patients, root=5, replicates=300, block=block),
    ]
    text = json.dumps([list_intervals(one) for one in found], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def list_intervals(found: FigureIntervals) -> Any:
    """Return the intervals as plain JSON values; words of why there is none are no bits."""
    return {
        "whole": {name: _list_numbers(interval) for name, interval in found.whole.items()},
        "per class": {
            name: [_list_numbers(interval) for interval in intervals]
            for name, intervals in found.per_class.items()
        },
    }


def _list_numbers(interval: Interval) -> dict[str, Any]:
    return {name: value for name, value in interval.to_json().items() if name != "reason"}


if __name__ == "__main__":
    sys.stdout.write(digest_intervals(int(sys.argv[1]) if len(sys.argv) > 1 else None) + "\n")
