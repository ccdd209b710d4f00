"""All runs as one model, against each of them."""

from __future__ import annotations

from collections.abc import Sequence

from cxr.plain_text import count
from cxr.records.figures import ALL_SCALARS, LOWER_IS_BETTER
from cxr.repeat.agreement import CommonImages
from cxr.repeat.ensemble import describe_runs_as_one
from cxr.reports.html.blocks import Table
from cxr.reports.html.several.members import Member
from cxr.reports.html.wording import FIGURE_TITLES, show_figure


def tabulate_ensemble(common: CommonImages, runs: Sequence[Member]) -> Table:
    """Return the figures of the mean of the runs' probabilities, beside those of the runs.

    Args:
        common: What the runs say of the same images.
        runs: They, in the same order, each with its figures.
    """
    found = describe_runs_as_one(common, [run.level for run in runs], [run.figures for run in runs])
    figures = found.figures
    caption = (
        f"The mean of the probabilities of {count(len(runs), 'run')}, as one model, over "
        f"{count(len(common.rows[0]), 'image')}"
    )
    if common.left_out:
        # The runs' own figures are of other images, and not to be compared with these.
        rows = [[FIGURE_TITLES[name], show_figure(figures[name])] for name in ALL_SCALARS]
        caption += f"; {count(common.left_out, 'image')} that not every run predicted left out"
        return Table(caption=caption, header=["Figure", "Ensemble"], rows=rows)
    rows = []
    for name in ALL_SCALARS:
        single = [run.figures[name] for run in runs if name in run.figures]
        known = [value for value in single if value is not None]
        if len(known) < len(runs):
            continue
        worst, best = sorted((min(known), max(known)), reverse=name in LOWER_IS_BETTER)
        better = found.better_runs.get(name)
        told = "-" if better is None else f"{better:,} of {len(known):,}"
        ends = [f"{worst:.4f}", f"{best:.4f}"]
        rows.append([FIGURE_TITLES[name], show_figure(figures[name]), *ends, told])
    header = ["Figure", "Ensemble", "Worst run", "Best run", "Runs better"]
    return Table(caption=caption, header=header, rows=rows)
