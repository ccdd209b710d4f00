"""What was varied from run to run on purpose, and whether it reached the bits."""

from __future__ import annotations

from typing import Final

from cxr.compare.diff import diff_runs
from cxr.errors import RecordError
from cxr.reports.diff_text import describe_divergence
from cxr.reports.html.blocks import Section, Table, Text
from cxr.reports.html.several.judgement import is_equal
from cxr.reports.html.several.members import Member, Members

_MOST_ROWS: Final = 60


def describe_factors(members: Members) -> Section | None:
    """Return the section, or None where the record names nothing that was varied."""
    varied = [run for run in members.runs if members.varied.get(run.label)]
    if not varied:
        return None
    reference = members.runs[0]
    rows = [
        [
            ", ".join(members.varied[run.label]),
            run.label,
            *_compare(reference, run),
        ]
        for run in varied[:_MOST_ROWS]
    ]
    more = len(varied) - len(rows)
    caption = f"Each run against {reference.label}, the reference"
    if more > 0:
        caption += f"; {more:,} further ones are not shown"
    header = ["Varied", "Run", "Bits", "Where they part", "Decisions", "Largest change"]
    return Section(
        name="factors",
        title="What was varied",
        blocks=[
            Text(
                text="Each run had other surroundings or settings than the reference. The change "
                "is that of a probability of an image of the evaluated split."
            ),
            Table(caption=caption, header=header, rows=rows, numeric=False),
        ],
    )


def _compare(reference: Member, run: Member) -> list[str]:
    """Return whether bits changed, where first, and what came of it."""
    if not reference.has_outcome or not run.has_outcome:
        return ["not known", f"{run.label} has no outcome", "-", "-"]
    if is_equal(reference, run):
        return ["harmless: the same", "-", "0 changed", "0"]
    try:
        found = diff_runs(reference.directory, run.directory)
    except RecordError as error:
        return ["changed", error.problem, "-", "-"]
    parted = found.first_divergence
    where = "-" if parted is None else describe_divergence(parted)
    change = found.predictions
    if change is None:
        return ["changed", where, "-", "-"]
    return [
        "changed",
        where,
        f"{change.changed_decisions:,} of {change.images:,} changed",
        f"{change.largest_probability_change:.3g}",
    ]
