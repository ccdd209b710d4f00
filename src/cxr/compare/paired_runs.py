"""Comparing what two runs made of the same images, from their records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cxr.determinism.levels import Level
from cxr.errors import RecordError
from cxr.evaluation.paired import compare_paired
from cxr.records.manifest import load_sealed_run
from cxr.records.named_files import load_named_lock
from cxr.records.outcome_predictions import load_outcome_predictions
from cxr.records.run_directory import PREDICTIONS
from cxr.statistics.intervals import CONFIDENCE, REPLICATES


def compare_paired_runs(
    a: Path, b: Path, *, replicates: int = REPLICATES, level: float = CONFIDENCE
) -> dict[str, Any]:
    """Compare the figures of two completed runs over the images that both predicted.

    Patients are those of the first run, and are drawn from a stream of its seed. Exponential and
    logarithm are portable only where both runs are.

    Args:
        a: The first run's directory.
        b: The second's.
        replicates: Resamples to draw.
        level: Share of samples whose interval should hold the truth.

    Returns:
        As `compare_paired` says.

    Raises:
        RecordError: A run is not complete, its predictions or the first one's lock were edited, or
            the runs have other classes or no image in common.
    """
    manifests = [load_sealed_run(run, completed=True) for run in (a, b)]
    (classes, first), (other, second) = (
        load_outcome_predictions(run, manifest)
        for run, manifest in zip((a, b), manifests, strict=True)
    )
    if classes != other:
        raise RecordError(
            "the runs have other classes: no image was asked the same question",
            where=f"{a / PREDICTIONS} and {b / PREDICTIONS}",
            hint="compare runs with the same data.classes",
        )
    samples = load_named_lock(a, manifests[0]).samples
    levels = {Level(manifest["recipe"]["determinism"]) for manifest in manifests}
    return compare_paired(
        classes,
        first,
        second,
        {sample.path: sample.group for sample in samples},
        seed=manifests[0]["recipe"]["seed"],
        replicates=replicates,
        level=level,
        determinism=Level.PORTABLE if levels == {Level.PORTABLE} else Level.STRICT,
    )
