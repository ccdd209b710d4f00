"""What came of a series, by its kind: equal runs, a distribution over seeds, or factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cxr.repeat.report import RepeatReport, Verdict, load_completed, summarise_runs
from cxr.repeat.series import SEEDS, VARY, Series

if TYPE_CHECKING:
    from cxr.repeat.vary import FactorsReport


def outline_series(series: Series, runs: Sequence[Path]) -> RepeatReport:
    """Return what is known while runs are still to come.

    What takes time, or needs NumPy, is left to `judge_series`: until then it is incomplete.
    """
    report = summarise_runs(runs, series.num_runs)
    if series.kind not in (SEEDS, VARY):
        return report
    return replace(report, verdict="incomplete", excluded_rate=None)


def judge_series(series: Series, runs: Sequence[Path]) -> RepeatReport:
    """Return all that the runs of a series tell.

    Args:
        series: What was asked for.
        runs: Those of its runs that are there.

    Raises:
        CxrError: The record of a completed run cannot be read.
    """
    report = outline_series(series, runs)
    completed = load_completed(runs)
    is_whole = len(completed) == series.num_runs
    if series.kind == SEEDS and completed:
        from cxr.repeat.seeds import describe_seed_runs

        seeds = describe_seed_runs(completed, series.asked)
        return replace(report, verdict="distribution" if is_whole else "incomplete", seeds=seeds)
    if series.kind == VARY and completed:
        from cxr.repeat.vary import describe_varied_runs

        factors = describe_varied_runs(series.config, series.asked, completed)
        return replace(report, verdict=_judge_factors(factors, is_whole=is_whole), factors=factors)
    return report


def _judge_factors(factors: FactorsReport, *, is_whole: bool) -> Verdict:
    """Return the verdict on factors; what must not differ and does is no more open."""
    if factors.repeats is False:
        return "variance"
    if factors.breaks_promise:
        return "changes-bits"
    if not is_whole:
        return "incomplete"
    found = {one.status for one in factors.effects}
    if "changes-bits" in found:
        return "changes-bits"
    # A machine on which no value could be taken has shown nothing.
    return "harmless" if "harmless" in found else "incomplete"
