"""All runs as one model, against each of them."""

from __future__ import annotations

from collections.abc import Sequence

from cxr.determinism.levels import Level
from cxr.evaluation.ensemble import combine_predictions, describe_ensemble
from cxr.plain_text import count
from cxr.records.figures import ALL_SCALARS, LOWER_IS_BETTER
from cxr.repeat.agreement import CommonImages
from cxr.reports.html.blocks import Table
from cxr.reports.html.several.members import Member
from cxr.reports.html.wording import FIGURE_TITLES, show_figure


def tabulate_ensemble(common: CommonImages, runs: Sequence[Member]) -> Table:
    """Return the figures of the mean of the runs' probabilities, beside those of the runs.

    Args:
        common: What the runs say of the same images.
        runs: They, in the same order, each with its figures.
    """
    is_portable = all(run.level == Level.PORTABLE for run in runs)
    figures = describe_ensemble(
        common.classes,
        combine_predictions(common.classes, common.rows),
        level=Level.PORTABLE if is_portable else Level.STRICT,
    )
    caption = (
        f"The mean of the probabilities of {count(len(runs), 'run')}, as one model, over "
        f"{count(len(common.rows[0]), 'image')}"
    )
    if common.left_out:
        # The runs' own figures are of other images, and not to be compared with these.
        told = [[FIGURE_TITLES[name], show_figure(figures[name])] for name in ALL_SCALARS]
        caption += f"; {count(common.left_out, 'image')} that not every run predicted left out"
        return Table(caption=caption, header=["Figure", "Ensemble"], rows=told)
    rows = []
    for name in ALL_SCALARS:
        single = [run.figures[name] for run in runs if name in run.figures]
        known = [value for value in single if value is not None]
        if len(known) < len(runs):
            continue
        value = figures[name]
        sign = -1 if name in LOWER_IS_BETTER else 1
        better = (
            "-"
            if value is None
            else f"{sum(sign * one > sign * value for one in known):,} of {len(known):,}"
        )
        worst, best = sorted((min(known), max(known)), key=lambda one: sign * one)
        rows.append(
            [FIGURE_TITLES[name], show_figure(value), f"{worst:.4f}", f"{best:.4f}", better]
        )
    header = ["Figure", "Ensemble", "Worst run", "Best run", "Runs better"]
    return Table(caption=caption, header=header, rows=rows)
