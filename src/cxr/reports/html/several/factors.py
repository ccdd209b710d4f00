"""What was varied from run to run on purpose, and whether it reached the bits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cxr.compare.divergence import find_first_divergence
from cxr.config.load import load_config
from cxr.errors import RecordError
from cxr.records.manifest import load_sealed_run
from cxr.records.run_directory import CONFIG
from cxr.repeat.series import VARY
from cxr.repeat.vary import FactorsReport, describe_varied_runs
from cxr.reports.factors_text import describe_reference, describe_short, list_effect_rows
from cxr.reports.html.blocks import Section, Statement, Table, Text
from cxr.reports.html.several.judgement import is_equal
from cxr.reports.html.several.members import Member, Members

_MOST_ROWS: Final = 60


def collect_factors(members: Members) -> FactorsReport | None:
    """Compare the runs of a repeat that varies factors; None where it is no such repeat.

    Raises:
        CxrError: A record cannot be read.
    """
    asked, directory = members.answer.get("series"), members.directory
    if (
        directory is None
        or not isinstance(asked, Mapping)
        or asked.get("kind") != VARY
        or members.findings
    ):
        return None
    runs: dict[Path, dict[str, Any]] = {
        run.directory: load_sealed_run(run.directory) for run in members.with_outcome
    }
    return describe_varied_runs(load_config(directory / CONFIG), asked, runs)


def list_factors(found: FactorsReport) -> Section:
    """Return the section on factors that were varied one at a time."""
    header, rows = list_effect_rows(found)
    said = describe_reference(found)
    table = Table(
        caption=f"Each factor against {found.reference}, the recipe as it is",
        header=[name.capitalize() for name in header],
        rows=rows,
        numeric=False,
    )
    return Section(
        name="factors",
        title="What was varied",
        blocks=[
            Statement(
                tone="good" if found.repeats else "bad", text=f"{said[0].upper()}{said[1:]}."
            ),
            table,
            Text(
                text="The distance of weights is the norm of their difference over that of the "
                "reference's weights; decisions are those of images that changed."
            ),
        ],
    )


def list_surroundings(members: Members) -> Section | None:
    """Return the section on what was around the runs; None where nothing was varied."""
    varied = [run for run in members.runs if members.varied.get(run.label)]
    if not varied:
        return None
    reference = members.runs[0]
    rows = [
        [run.label, ", ".join(members.varied[run.label]), *_compare(reference, run)]
        for run in varied[:_MOST_ROWS]
    ]
    more = len(varied) - len(rows)
    caption = f"Each run against {reference.label}, the reference"
    if more > 0:
        caption += f"; {more:,} further ones are not shown"
    header = ["Run", "Varied", "Bits", "Where they part"]
    table = Table(caption=caption, header=header, rows=rows, numeric=False)
    return Section(name="factors", title="What was varied", blocks=[table])


def _compare(reference: Member, run: Member) -> list[str]:
    """Return whether bits changed, and where first."""
    if run is reference:
        return ["the reference", "-"]
    if not reference.has_outcome or not run.has_outcome:
        return ["not known", "one of them has no outcome"]
    if is_equal(reference, run):
        return ["the same", "-"]
    pairs = [(one.directory, load_sealed_run(one.directory)) for one in (reference, run)]
    try:
        parted = find_first_divergence(pairs[0], pairs[1])
    except RecordError as error:
        return ["other", error.problem]
    return ["other", "in what was predicted" if parted is None else describe_short(parted)]
