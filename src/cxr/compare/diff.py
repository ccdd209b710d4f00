"""Comparing two runs from their records alone: no torch, no images, no running again."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from cxr.compare.divergence import find_first_divergence
from cxr.compare.figure_pairs import FigurePairs, pair_figures
from cxr.compare.inputs import find_differences
from cxr.compare.report import DiffReport, Divergence, PredictionChange, Verdict
from cxr.errors import RecordError, UsageError
from cxr.plain_text import show_plainly
from cxr.records.figures import SCALARS, flatten_figures
from cxr.records.manifest import Manifest, load_sealed_run
from cxr.records.outcome_predictions import load_outcome_predictions
from cxr.records.run_directory import PREDICTIONS

_NEAR: Final = 5
_LIKENESS: Final = 0.6
"""Names this like the one that was given, of 1, may have been meant."""


def diff_runs(a: Path, b: Path, tolerances: Mapping[str, float] | None = None) -> DiffReport:
    """Compare two runs.

    Args:
        a: The first run's directory.
        b: The second's.
        tolerances: Largest absolute difference allowed, by metric; asked for, never assumed.

    Returns:
        The verdict, the first divergence, the inputs that differ, and figures side by side.

    Raises:
        RecordError: A record is missing or was edited, or a run has no outcome to compare.
        UsageError: A tolerance names no metric of these runs.
    """
    manifest_a, manifest_b = load_sealed_run(a), load_sealed_run(b)
    divergence = find_first_divergence((a, manifest_a), (b, manifest_b))
    metrics = _pair_metrics(manifest_a, manifest_b)
    require_known(metrics, tolerances or {})
    verdict = judge((a, manifest_a), (b, manifest_b), divergence, metrics, tolerances or {})
    return DiffReport(
        verdict=verdict,
        first_divergence=divergence,
        differences=find_differences(a, b, manifest_a, manifest_b),
        metrics=metrics,
        predictions=_compare_predictions((a, manifest_a), (b, manifest_b)),
        tolerances=dict(tolerances or {}),
    )


def diff_manifests(
    a: Manifest, b: Manifest, tolerances: Mapping[str, float] | None = None
) -> DiffReport:
    """Compare two completed runs of which the manifests are all there is.

    They say whether anything differs; where the runs part stands in their ledgers alone.

    Args:
        a: The first run's manifest.
        b: The second's.
        tolerances: Largest absolute difference allowed, by metric.

    Raises:
        UsageError: A tolerance names no metric of these runs.
    """
    metrics = _pair_metrics(a, b)
    require_known(metrics, tolerances or {})
    equal = all(a[name] == b[name] for name in ("outcome_digest", "trace_digest"))
    verdict: Verdict = "identical" if equal else "different"
    if not equal and tolerances and _within(metrics, tolerances):
        verdict = "equivalent"
    return DiffReport(
        verdict=verdict,
        first_divergence=None,
        differences=[],
        metrics=metrics,
        predictions=None,
        tolerances=dict(tolerances or {}),
    )


def judge(
    a: tuple[Path, Manifest],
    b: tuple[Path, Manifest],
    divergence: Divergence | None,
    metrics: dict[str, dict[str, float | None]],
    tolerances: Mapping[str, float],
) -> Verdict:
    """Return the verdict on two ledgers, two outcomes and their figures.

    Raises:
        RecordError: A run has no outcome, and nothing differs yet.
    """
    outcomes = [manifest.get("outcome_digest") for _, manifest in (a, b)]
    parted = divergence is not None and divergence.what != "end"
    if None in outcomes and not parted:
        run, manifest = b if a[1]["status"] == "completed" else a
        raise RecordError(
            "no difference so far, but a run has no outcome",
            where=f"{run}, status {manifest['status']}",
            hint="let it complete, then compare again",
        )
    if divergence is None and outcomes[0] == outcomes[1]:
        return "identical"
    if tolerances and None not in outcomes and _within(metrics, tolerances):
        return "equivalent"
    return "different"


def _within(metrics: dict[str, dict[str, float | None]], tolerances: Mapping[str, float]) -> bool:
    """Say whether every metric with a tolerance is within it; an undefined one never is."""
    gaps = [(metrics[name]["difference"], tolerance) for name, tolerance in tolerances.items()]
    return all(gap is not None and abs(gap) <= tolerance for gap, tolerance in gaps)


def require_known(metrics: Collection[str], tolerances: Mapping[str, float]) -> None:
    """Refuse a tolerance for a figure that these runs do not have."""
    for name in tolerances:
        if name not in metrics:
            raise UsageError(
                f"no metric is called {name[:80]!r}",
                where="--tolerance",
                hint=_suggest(name, metrics),
            )


def _suggest(name: str, metrics: Collection[str]) -> str:
    """Return the names that may have been meant, or the main ones."""
    if not metrics:
        return "leave it out: the runs have no figures in common"
    near = difflib.get_close_matches(name, metrics, n=_NEAR, cutoff=_LIKENESS)
    # Whoever names a figure alone may have meant that of a class.
    near += [one for one in metrics if one.endswith(f".{name}") and one not in near][:_NEAR]
    near = near or [one for one in SCALARS if one in metrics] or list(metrics)
    said = ", ".join(map(show_plainly, near[:_NEAR]))
    return f"choose from {said}; cxr diff --figures all has all {len(metrics)}"


def _pair_metrics(a: Manifest, b: Manifest) -> FigurePairs:
    """Put the figures of both runs side by side; none where they are of different splits."""
    figures_a, figures_b = a.get("metrics", {}), b.get("metrics", {})
    if figures_a.get("split") != figures_b.get("split"):
        return {}
    flat_a, flat_b = flatten_figures(figures_a), flatten_figures(figures_b)
    return pair_figures(flat_a, flat_b, dict.fromkeys((*(flat_a or SCALARS), *flat_b)))


def _compare_predictions(
    a: tuple[Path, Manifest], b: tuple[Path, Manifest]
) -> PredictionChange | None:
    """Compare the predictions of images that both runs have, or None where one has none."""
    if not all((run / PREDICTIONS).is_file() for run, _ in (a, b)):
        return None
    (classes_a, rows_a), (classes_b, rows_b) = (load_outcome_predictions(*run) for run in (a, b))
    if classes_a != classes_b:
        return None
    by_path = {row.path: row for row in rows_b}
    pairs = [(row, by_path[row.path]) for row in rows_a if row.path in by_path]
    changes = [
        abs(value_a - value_b)
        for row_a, row_b in pairs
        for value_a, value_b in zip(row_a.probabilities, row_b.probabilities, strict=True)
    ]
    return PredictionChange(
        images=len(pairs),
        changed_decisions=sum(row_a.decision != row_b.decision for row_a, row_b in pairs),
        largest_probability_change=max(changes, default=0.0),
    )
