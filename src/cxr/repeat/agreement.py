"""How far runs agree about the same images: from their predictions, image by image.

Runs of equal figures may decide differently about many a patient; no mean over runs shows that.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.errors import RecordError
from cxr.records.manifest import Manifest
from cxr.records.outcome_predictions import load_outcome_predictions
from cxr.records.predictions import Prediction
from cxr.records.run_directory import PREDICTIONS

MOST_LISTED: Final = 20
"""Images that are listed of those that runs disagree about."""

SHOWN_DIGITS: Final = 3
"""Decimals of a probability that tables show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonImages:
    """What several runs say of the images that all of them predicted.

    Attributes:
        classes: Class names in label order.
        rows: One a run, of the same images in the same order.
        left_out: Images that not all of them predicted.
    """

    classes: tuple[str, ...]
    rows: tuple[tuple[Prediction, ...], ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpread:
    """What runs say of one image.

    Attributes:
        path: As it stands in the runs' records.
        label: What is true.
        decisions: Runs by what they decide, the most frequent first, then by name.
        lowest: Least probability of each class over the runs, in class order.
        highest: Greatest.
        coefficients: Coefficient of variation of each class's probability; None where the mean
            is 0.
    """

    path: str
    label: str
    decisions: dict[str, int]
    lowest: list[float]
    highest: list[float]
    coefficients: list[float | None]

    def choose_class(self) -> int:
        """Return the class whose probability spans most; of equals the last, as in two classes.

        Spans are equal here that are so when shown: those of two classes differ by rounding.
        """
        pairs = zip(self.lowest, self.highest, strict=True)
        spans = [round(high - low, SHOWN_DIGITS) for low, high in pairs]
        return max(range(len(spans)), key=lambda index: (spans[index], index))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far runs agree; None where there are fewer than two, or no image.

    Attributes:
        num_images: Images that all runs predicted.
        left_out: Images that only some of them predicted.
        changing: Images on which not all decide alike.
        changing_share: Share of them.
        kappa: Fleiss' kappa of the decisions.
        variation: By class, ``mean``, ``median`` and ``largest`` coefficient of variation of its
            probability over images, where it is defined.
        worst: The images that runs agree least about, at most `MOST_LISTED`: those that fewest
            decide alike, then those whose probabilities lie farthest apart, then by path.
    """

    num_images: int
    left_out: int
    changing: int
    changing_share: float | None
    kappa: float | None
    variation: dict[str, dict[str, float | None]]
    worst: list[ImageSpread]


def load_common_images(runs: Mapping[Path, Manifest]) -> CommonImages:
    """Read the predictions of completed runs.

    Args:
        runs: Their manifests, by their directories; at least one.

    Raises:
        RecordError: Predictions cannot be read, are not those of the run's outcome, or are of other
            classes than the first run's.
    """
    loaded = [load_outcome_predictions(run, manifest) for run, manifest in runs.items()]
    classes = loaded[0][0]
    for run, (found, _) in zip(runs, loaded, strict=True):
        if found != classes:
            raise RecordError(
                "the runs have other classes",
                where=str(run / PREDICTIONS),
                hint="restore the run, or remove it to have it trained again",
            )
    tables = [{row.path: row for row in rows} for _, rows in loaded]
    paths = [path for path in tables[0] if all(path in table for table in tables)]
    known = {path for table in tables for path in table}
    return CommonImages(
        classes=classes,
        rows=tuple(tuple(table[path] for path in paths) for table in tables),
        left_out=len(known) - len(paths),
    )


def describe_agreement(common: CommonImages) -> Agreement:
    """Return how far runs agree about images."""
    from cxr.statistics.agreement import (
        find_changing_decisions,
        fleiss_kappa,
        share_of_changing_decisions,
    )

    num_images = len(common.rows[0])
    names = sorted({row.decision for rows in common.rows for row in rows})
    numbers = {name: number for number, name in enumerate(names)}
    decisions = [[numbers[row.decision] for row in rows] for rows in common.rows]
    coefficients = [_list_coefficients(common, index) for index in range(len(common.classes))]
    spreads = [
        _describe_image([rows[place] for rows in common.rows], [one[place] for one in coefficients])
        for place in range(num_images)
    ]
    return Agreement(
        num_images=num_images,
        left_out=common.left_out,
        changing=int(find_changing_decisions(decisions).sum()) if num_images else 0,
        changing_share=share_of_changing_decisions(decisions),
        kappa=fleiss_kappa(decisions),
        variation={
            name: _summarise(values)
            for name, values in zip(common.classes, coefficients, strict=True)
        },
        worst=sorted(spreads, key=_rank)[:MOST_LISTED] if len(common.rows) > 1 else [],
    )


def _list_coefficients(common: CommonImages, index: int) -> list[float | None]:
    """Return each image's coefficient of variation of one class's probability."""
    from cxr.statistics.agreement import coefficients_of_variation

    table = [[row.probabilities[index] for row in rows] for rows in common.rows]
    found = coefficients_of_variation(table).tolist()
    return [None if math.isnan(value) else value for value in found]


def _summarise(values: Sequence[float | None]) -> dict[str, float | None]:
    defined = [value for value in values if value is not None]
    return {
        "mean": math.fsum(defined) / len(defined) if defined else None,
        "median": statistics.median(defined) if defined else None,
        "largest": max(defined, default=None),
    }


def _describe_image(
    rows: Sequence[Prediction], coefficients: Sequence[float | None]
) -> ImageSpread:
    counts = Counter(row.decision for row in rows)
    columns = list(zip(*(row.probabilities for row in rows), strict=True))
    return ImageSpread(
        path=rows[0].path,
        label=rows[0].label,
        decisions=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        lowest=[min(column) for column in columns],
        highest=[max(column) for column in columns],
        coefficients=list(coefficients),
    )


def _rank(image: ImageSpread) -> tuple[int, float, str]:
    """Order images from those that runs agree least about."""
    apart = max(high - low for low, high in zip(image.lowest, image.highest, strict=True))
    return max(image.decisions.values()), -apart, image.path
