"""Intervals of a split's figures, from predictions and groups alone: no model, no image.

Patients are drawn, not images: images of one patient resemble each other. Where each patient has
one image, DeLong's interval of each class's AUROC stands beside the bootstrap's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cxr.determinism.levels import Level
from cxr.evaluation.cases import FIGURE_NAMES, build_cases
from cxr.evaluation.split_figures import describe_split
from cxr.records.predictions import Prediction
from cxr.statistics.intervals import CONFIDENCE, REPLICATES

if TYPE_CHECKING:
    from cxr.statistics.bootstrap import FigureIntervals
    from cxr.statistics.cases import Cases
    from cxr.statistics.intervals import Interval

REPEATED: Final = "a patient has more than one image"
"""Why there are no intervals of DeLong."""


def derive_intervals(
    classes: Sequence[str],
    predictions: Sequence[Prediction],
    groups: Mapping[str, str],
    *,
    seed: int,
    replicates: int = REPLICATES,
    level: float = CONFIDENCE,
    determinism: Level = Level.STRICT,
) -> dict[str, Any] | None:
    """Return an interval for each figure of a split; None where there is no image.

    The same records give the same bits, on every machine at the level ``portable``, and else as far
    as its figures do.

    Args:
        classes: Class names in label order.
        predictions: One an image, all of one kind.
        groups: The patient of each path.
        seed: Root of the stream that patients are drawn from: the run's.
        replicates: Resamples to draw.
        level: Share of samples whose interval should hold the truth.
        determinism: The promise; it chooses the exponential and the logarithm.

    Returns:
        ``level``, ``seed``, ``replicates``, ``num_groups``, ``num_images``; ``whole`` by figure and
        ``per_class`` by class and figure: ``estimate`` (the figure itself), ``low``, ``high``,
        ``method``, ``replicates`` used and ``dropped``; and ``delong`` by class, or None and
        ``delong_reason``.

    Raises:
        KeyError: A prediction is of no sample, or a text names what is no class.
    """
    from cxr.statistics.bootstrap import bootstrap_figures

    if not predictions:
        return None
    patients = [groups[row.path] for row in predictions]
    cases = build_cases(classes, predictions, level=determinism)
    found = bootstrap_figures(cases, patients, root=seed, replicates=replicates, level=level)
    figures = describe_split(classes, predictions, level=determinism)
    described = _describe(classes, found, figures)
    repeated = len(set(patients)) < len(patients)
    return {
        "level": level,
        "seed": seed,
        "replicates": replicates,
        "num_groups": found.num_groups,
        "num_images": found.num_images,
        **described,
        "delong": None if repeated else _derive_delong(classes, cases, patients, level),
        **({"delong_reason": REPEATED} if repeated else {}),
    }


def _describe(
    classes: Sequence[str], found: FigureIntervals, figures: Mapping[str, Any]
) -> dict[str, Any]:
    """Put intervals beside the figures that they are of, by the names of records."""
    whole = {FIGURE_NAMES.get(name, name): interval for name, interval in found.whole.items()}
    return {
        "whole": {name: _to_json(one, figures[name]) for name, one in whole.items()},
        "per_class": {
            label: {
                name: _to_json(intervals[index], figures["per_class"][label][name])
                for name, intervals in found.per_class.items()
            }
            for index, label in enumerate(classes)
        },
    }


def _to_json(interval: Interval, estimate: float | None) -> dict[str, Any]:
    """Return an interval around the figure as records hold it, which is rounded once."""
    content = interval.to_json()
    del content["level"]
    return {**content, "estimate": estimate}


def _derive_delong(
    classes: Sequence[str], cases: Cases, patients: Sequence[str], level: float
) -> dict[str, dict[str, Any]]:
    from cxr.statistics.delong import delong_interval

    found = {}
    for index, name in enumerate(classes):
        known = cases.known[:, index]
        chosen = [patient for patient, is_known in zip(patients, known, strict=True) if is_known]
        interval = delong_interval(
            cases.present[known, index].tolist(),
            cases.scores[known, index].tolist(),
            chosen,
            level=level,
        )
        found[name] = _to_json(interval, interval.estimate)
    return found
