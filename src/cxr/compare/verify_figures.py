"""Checking the figures of a manifest: they are computed from the predictions once more."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cxr.compare.verify_findings import Finding, take
from cxr.determinism.levels import Level
from cxr.errors import RecordError
from cxr.evaluation.metrics import compute_metrics
from cxr.evaluation.split_figures import describe_split
from cxr.evaluation.thresholds import describe_thresholds
from cxr.plain_text import show_plainly
from cxr.records.figures import LATER_SCALARS
from cxr.records.manifest import EVALUATION_SCHEMA, Manifest
from cxr.records.predictions import Prediction, load_predictions
from cxr.records.run_directory import (
    EVALUATIONS,
    MANIFEST,
    PREDICTIONS,
    VALIDATION_PREDICTIONS,
)

_CHECKED_ELSEWHERE: Final = ("split", "thresholds", "subgroups")
"""What stands beside the figures: the split's name, and what rests on other records too."""

_SHOWN: Final = 80

_SAME_FIGURE: Final = 1e-9
"""Figures this close are the same: another machine's logarithm may differ in its last bit."""


def check_figures(directory: Path, manifest: Manifest, level: Any) -> Iterator[Finding]:
    """Compute figures and thresholds again from the predictions.

    Records of version 0.1.0 have fewer figures and no thresholds.

    Args:
        directory: Of a run or of an evaluation.
        manifest: Its manifest.
        level: What it says of its level.
    """
    figures = take(manifest, "metrics")
    if not figures:
        if manifest.get("status") == "completed":
            yield Finding(MANIFEST, "metrics are missing, though it completed")
        return
    kind = read_level(level)
    try:
        classes, predictions = load_predictions(directory / PREDICTIONS)
        if has_later_figures(figures):
            again = describe_split(classes, predictions, level=kind)
        else:
            again = compute_metrics(classes, predictions, level=kind).to_json()
    except (RecordError, KeyError) as error:
        yield Finding(PREDICTIONS, _describe_unusable(error))
        return
    for name, value in again.items():
        if not is_same_figure(figures.get(name), value):
            yield Finding(MANIFEST, f"metrics.{name} is not what the predictions give")
    if "thresholds" in figures:
        yield from _check_thresholds(directory, manifest, (classes, predictions, kind))
    for name in sorted(figures.keys() - again.keys() - {*_CHECKED_ELSEWHERE}):
        yield Finding(MANIFEST, f"metrics.{show_plainly(name)[:_SHOWN]} is no figure of cxr")


def _check_thresholds(
    directory: Path, manifest: Manifest, given: tuple[Sequence[str], Sequence[Prediction], Level]
) -> Iterator[Finding]:
    """Choose the thresholds again, where the predictions on validation are here."""
    classes, predictions, level = given
    try:
        validation = _load_validation(directory, manifest)
        if validation is None:
            return
        again = describe_thresholds(classes, validation, predictions, level=level)
    except (RecordError, KeyError) as error:
        if manifest.get("schema") == EVALUATION_SCHEMA:
            # They are the run's, of which its own check tells.
            why = "metrics.thresholds: the run's validation predictions do not read"
            yield Finding(MANIFEST, why, is_open=True)
        else:
            yield Finding(VALIDATION_PREDICTIONS, _describe_unusable(error))
        return
    if not is_same_figure(take(manifest, "metrics")["thresholds"], again):
        yield Finding(MANIFEST, "metrics.thresholds is not what the predictions give")


def _describe_unusable(error: RecordError | KeyError) -> str:
    """Say why nothing can be computed from predictions; a key is a text that names no class."""
    if isinstance(error, RecordError):
        return error.problem
    return f"names what is no class: {str(error.args[0])[:_SHOWN]}"


def has_later_figures(figures: Mapping[str, Any]) -> bool:
    """Say whether figures are of a version after 0.1.0, which keeps more of them."""
    return any(name in figures for name in (*LATER_SCALARS, "undefined"))


def read_level(level: Any) -> Level:
    """Return the level that figures are computed at, of what a manifest says.

    Exponential and logarithm are the platform's at all levels but ``portable``.
    """
    return Level.PORTABLE if level == Level.PORTABLE else Level.STRICT


def find_home(directory: Path, manifest: Manifest) -> Path | None:
    """Return the run that a record is of: its own, or the one that an evaluation lies in.

    Args:
        directory: Of a run or of an evaluation.
        manifest: Its manifest.

    Returns:
        None where an evaluation lies elsewhere.
    """
    if manifest.get("schema") != EVALUATION_SCHEMA:
        return directory
    place = directory.absolute()
    return place.parents[1] if place.parent.name == EVALUATIONS else None


def _load_validation(directory: Path, manifest: Manifest) -> list[Prediction] | None:
    """Return the predictions that thresholds were chosen by; None where they are not here."""
    home = find_home(directory, manifest)
    if home is None or not (home / VALIDATION_PREDICTIONS).is_file():
        return None
    return load_predictions(home / VALIDATION_PREDICTIONS)[1]


def is_same_figure(a: Any, b: Any) -> bool:
    """Compare figures, numbers within the last bits of a logarithm."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(is_same_figure(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(is_same_figure, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=_SAME_FIGURE, abs_tol=_SAME_FIGURE)
    return bool(a == b)
