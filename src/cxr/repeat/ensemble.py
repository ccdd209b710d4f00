"""All runs of a recipe as one model, held against each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxr.determinism.levels import Level
from cxr.evaluation.ensemble import combine_predictions, describe_ensemble
from cxr.records.figures import ALL_SCALARS, LOWER_IS_BETTER
from cxr.repeat.agreement import CommonImages


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """All runs as one model, against each of them.

    Attributes:
        method: How they were joined.
        num_runs: How many.
        figures: Of the ensemble, over the images that all runs predicted.
        better_runs: By figure, how many runs have a better value than the ensemble has.
    """

    method: str
    num_runs: int
    figures: dict[str, Any]
    better_runs: dict[str, int]


def describe_runs_as_one(
    common: CommonImages, levels: Sequence[str], figures: Sequence[Mapping[str, float | None]]
) -> Ensemble:
    """Return the ensemble of runs; its figures are portable where every run is.

    Args:
        common: What the runs say of the same images.
        levels: The promise of each run, in the same order.
        figures: Those of each run, by name.
    """
    is_portable = all(level == Level.PORTABLE for level in levels)
    combined = combine_predictions(common.classes, common.rows)
    whole = describe_ensemble(
        common.classes, combined, level=Level.PORTABLE if is_portable else Level.STRICT
    )
    better = {}
    # Runs on images that the ensemble was not asked about are not compared with it.
    for name in () if common.left_out else ALL_SCALARS:
        value, sign = whole[name], -1 if name in LOWER_IS_BETTER else 1
        single = [found.get(name) for found in figures]
        known = [one for one in single if one is not None]
        if value is not None and len(known) == len(single):
            better[name] = sum(sign * one > sign * value for one in known)
    return Ensemble(
        method="mean of probabilities",
        num_runs=len(figures),
        figures=whole,
        better_runs=better,
    )
