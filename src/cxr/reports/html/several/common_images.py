"""The images that all runs of a report predicted, read once for every section that needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cxr.errors import RecordError
from cxr.plain_text import count
from cxr.records.predictions import load_predictions
from cxr.records.run_directory import PREDICTIONS
from cxr.repeat.agreement import CommonImages, load_common_images
from cxr.reports.html.several.judgement import is_equal
from cxr.reports.html.several.members import Member, Members

MOST_VALUES: Final = 2_000_000
"""Probabilities that are held at once, about half a gigabyte of predictions."""

_LEAST: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedImages:
    """What several runs say of the same images.

    Attributes:
        runs: They.
        num_left_out: Runs that are left out, because all would not fit into memory.
        common: Their predictions; None where they do not compare.
        problem: Why they do not.
    """

    runs: Sequence[Member]
    num_left_out: int
    common: CommonImages | None
    problem: str = ""


def load_shared_images(members: Members) -> SharedImages | None:
    """Read the predictions of all runs that completed; None where no two of them differ."""
    done = members.with_outcome
    if len(done) < _LEAST or all(is_equal(run, done[0]) for run in done[1:]):
        return None
    try:
        classes, rows = load_predictions(done[0].directory / PREDICTIONS)
        most = max(MOST_VALUES // max(len(rows) * len(classes), 1), _LEAST)
        runs = done[:most]
        common = load_common_images(
            {
                run.directory: {"outcome": {"predictions_digest": run.predictions_digest}}
                for run in runs
            }
        )
    except RecordError as error:
        return SharedImages(runs=done, num_left_out=0, common=None, problem=error.problem)
    problem = _find_obstacle(common)
    return SharedImages(
        runs=runs,
        num_left_out=len(done) - len(runs),
        common=None if problem else common,
        problem=problem,
    )


def _find_obstacle(common: CommonImages) -> str:
    """Return why the runs say nothing of the same question; nothing where they do."""
    if not common.rows[0]:
        return "no image was predicted by all runs"
    other = {
        row.path
        for rows in common.rows
        for row, first in zip(rows, common.rows[0], strict=True)
        if row.label != first.label
    }
    return f"{count(len(other), 'image')} have another label in another run" if other else ""
