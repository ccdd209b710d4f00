"""The figures of the runs beside each other, and two runs on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cxr.compare.paired_runs import compare_paired_runs
from cxr.errors import RecordError
from cxr.plain_text import count
from cxr.records.figures import ALL_SCALARS
from cxr.reports.evaluation_text import describe_missing
from cxr.reports.html.blocks import Block, Section, Statement, Table, Text, Titled
from cxr.reports.html.several.judgement import is_equal
from cxr.reports.html.several.members import Member, Members
from cxr.reports.html.wording import FIGURE_TITLES, show_figure
from cxr.reports.paired_text import describe_tests

_MOST_COLUMNS: Final = 12
_PAIR: Final = 2


def describe_figures(members: Members, *, replicates: int) -> Section | None:
    """Return the section, or None where no run has figures that can be relied on.

    Args:
        members: The runs.
        replicates: Resamples for the intervals of two runs; 0: none are drawn.
    """
    done = members.with_outcome
    if not done:
        return None
    blocks: list[Block] = []
    splits = sorted({run.split for run in done})
    if len(splits) > 1:
        blocks.append(
            Statement(
                tone="bad",
                text=f"The runs were evaluated on other splits ({', '.join(splits)}): their "
                "figures do not belong beside each other.",
            )
        )
    blocks.append(_tabulate(done))
    if len(done) > _MOST_COLUMNS:
        more = f"Shown are the first {_MOST_COLUMNS} of {count(len(done), 'run')}."
        blocks.append(Text(text=more))
    if len(done) == _PAIR:
        blocks += _compare(done[0], done[1], replicates)
    return Section(name="figures", title="Figures", blocks=blocks)


def _tabulate(done: Sequence[Member]) -> Table:
    shown = done[:_MOST_COLUMNS]
    names = [name for name in ALL_SCALARS if any(name in run.figures for run in shown)]
    rows = [[FIGURE_TITLES[name], *(_show(run.figures, name) for run in shown)] for name in names]
    rows.append(["Evaluated on", *(run.split for run in shown)])
    header = ["Figure", *(run.label for run in shown)]
    return Table(caption="Figures of each run", header=header, rows=rows)


def _show(figures: Mapping[str, float | None], name: str) -> str:
    return show_figure(figures[name]) if name in figures else "not recorded"


def _compare(a: Member, b: Member, replicates: int) -> list[Block]:
    """Compare two runs on the images that both predicted."""
    if is_equal(a, b):
        return [Text(text="Their predictions are the same, so there is nothing to test.")]
    if not replicates:
        return [Text(text="No intervals of their differences were asked for.")]
    try:
        paired = compare_paired_runs(a.directory, b.directory, replicates=replicates)
    except RecordError as error:
        return [Statement(tone="plain", text=f"No paired comparison: {error.problem}.")]
    said = (
        f"Both runs on the same {count(paired['num_images'], 'image')} of "
        f"{count(paired['num_groups'], 'patient')}, resampled together {replicates:,} times: what "
        "makes a patient easy or hard for both cancels. Nothing is corrected for the number of "
        "figures that are compared."
    )
    blocks: list[Block] = [Text(text=said), _tabulate_pairs(a, b, paired)]
    if missing := describe_missing(paired["figures"]):
        blocks.append(Statement(tone="plain", text="Missing intervals", details=missing))
    blocks.append(Statement(tone="plain", text="Tests", details=describe_tests(paired)))
    return [Titled(title="Paired", blocks=blocks)]


def _tabulate_pairs(a: Member, b: Member, paired: Mapping[str, Any]) -> Table:
    share = f"{paired['level'] * 100:.0f} %"
    rows = [
        [
            FIGURE_TITLES[name],
            show_figure(one["a"]),
            show_figure(one["b"]),
            "undefined" if one["difference"] is None else f"{one['difference']:+.4f}",
            "-" if one["low"] is None else f"{one['low']:+.4f} to {one['high']:+.4f}",
        ]
        for name, one in paired["figures"].items()
    ]
    header = ["Figure", f"{a.label} (a)", f"{b.label} (b)", "b - a", f"{share} interval"]
    return Table(caption="Differences of figures", header=header, rows=rows)
