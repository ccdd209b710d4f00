"""What a report works out of a run's predictions: figures, thresholds and intervals.

They are computed anew and not copied, so a record of an older version has all of them too, and
`cxr verify` holds those of the record against its predictions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from cxr.errors import IMPORT_FAULTS, InstallationError
from cxr.evaluation.elementary import choose_elementary
from cxr.evaluation.figures import read_logits
from cxr.evaluation.intervals import derive_intervals
from cxr.evaluation.log_odds import derive_log_odds
from cxr.evaluation.outcomes import Outcome, list_label_outcomes
from cxr.evaluation.split_figures import describe_split
from cxr.evaluation.thresholds import describe_thresholds
from cxr.reports.html.run_records import RunRecords

MOST_CLASSES: Final = 200
"""Classes up to which every figure of each is worked out: the time that it takes grows with the
square of their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnalysis:
    """Figures of a completed run.

    Attributes:
        figures: As `describe_split` returns them.
        thresholds: As `describe_thresholds` returns them.
        intervals: As `derive_intervals` returns them; None where none were asked for.
        num_patients: Groups in the split.
    """

    figures: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    intervals: Mapping[str, Any] | None
    num_patients: int

    def interval(self, figure: str) -> Mapping[str, Any] | None:
        """Return the interval of a figure of the whole split."""
        return self.intervals["whole"].get(figure) if self.intervals else None

    def class_interval(self, name: str, figure: str) -> Mapping[str, Any] | None:
        """Return the interval of a figure of one class."""
        return self.intervals["per_class"][name].get(figure) if self.intervals else None


def analyse_run(records: RunRecords, *, replicates: int) -> RunAnalysis | None:
    """Return the figures of a completed run; None of others, and of one with too many classes.

    Args:
        records: The run.
        replicates: Resamples for intervals; 0: none.

    Raises:
        InstallationError: Intervals are asked for, and NumPy cannot be imported.
    """
    classes, predictions = records.lock.classes, records.predictions
    if not predictions or len(classes) > MOST_CLASSES:
        return None
    groups = {sample.path: sample.group for sample in records.lock.samples}
    intervals = None
    if replicates:
        _require_numpy()
        intervals = derive_intervals(
            classes,
            predictions,
            groups,
            seed=records.config.seed,
            replicates=replicates,
            determinism=records.level,
        )
    missing = "the run keeps no predictions of a validation split"
    return RunAnalysis(
        figures=describe_split(classes, predictions, level=records.level),
        thresholds=describe_thresholds(
            classes, records.validation, predictions, level=records.level, missing=missing
        ),
        intervals=intervals,
        num_patients=len({groups[row.path] for row in predictions}),
    )


def _require_numpy() -> None:
    """Refuse to draw resamples without NumPy, which nothing else of a report needs.

    Raises:
        InstallationError: It cannot be imported.
    """
    try:
        import_module("numpy")
    except IMPORT_FAULTS as error:
        raise InstallationError(
            "intervals need NumPy, which cannot be imported here",
            where=str(error),
            hint="install it, or leave intervals out with --replicates 0",
        ) from error


def list_class_outcomes(records: RunRecords, names: Sequence[str]) -> dict[str, list[Outcome]]:
    """Return what is true and what was said of these classes, image by image."""
    classes, predictions = records.lock.classes, records.predictions
    if records.asks_each_label:
        found = list_label_outcomes(classes, predictions)
        return {name: found[name] for name in names}
    functions = choose_elementary(records.level)
    logits = [read_logits(row) for row in predictions]
    return {
        name: [
            Outcome(
                row.label == name,
                row.decision == name,
                derive_log_odds(values, index, functions),
                row.probabilities[index],
            )
            for row, values in zip(predictions, logits, strict=True)
        ]
        for index, name in enumerate(classes)
        if name in names
    }
