"""The project's reproducibility checklist, each line answered from the records or marked open."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import Final

from cxr.reports.html.blocks import Block, Section, Table, Text
from cxr.reports.html.checklist_inputs import INPUT_ANSWERS
from cxr.reports.html.checklist_results import RESULT_ANSWERS
from cxr.reports.html.run_analysis import RunAnalysis
from cxr.reports.html.run_records import RunRecords

ANSWERS: Final = {**INPUT_ANSWERS, **RESULT_ANSWERS}
"""What answers a line, by the name in ``checklist.toml``."""

OPEN: Final = "open"
"""What stands where the records do not answer a line."""

_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistLine:
    """One line of docs/reproducibility_checklist.md.

    Attributes:
        part: The heading that it stands under.
        item: What is asked.
        given_by: The command or file that answers it, in Markdown.
        answer: What answers it of a run, a name of `ANSWERS`; empty: no run's record can.
    """

    part: str
    item: str
    given_by: str
    answer: str = ""


def load_checklist() -> list[ChecklistLine]:
    """Return the lines in their order."""
    text = files("cxr.reports.html").joinpath("checklist.toml").read_text(encoding="utf-8")
    return [ChecklistLine(**line) for line in tomllib.loads(text)["line"]]


def describe_checklist(records: RunRecords, analysis: RunAnalysis | None) -> Section:
    """Return the section."""
    lines = load_checklist()
    answered = [(line, _answer(line, records, analysis)) for line in lines]
    num_open = sum(answer is None for _, answer in answered)
    blocks: list[Block] = [
        Text(
            text=f"{len(lines) - num_open} of {len(lines)} lines are answered by the record; "
            f"{num_open} are open, with what would answer them."
        )
    ]
    for part, found in groupby(answered, key=lambda pair: pair[0].part):
        blocks.append(_list_part(part, list(found)))
    return Section(name="checklist", title="Reproducibility checklist", blocks=blocks)


def _answer(line: ChecklistLine, records: RunRecords, analysis: RunAnalysis | None) -> str | None:
    return ANSWERS[line.answer](records, analysis) if line.answer else None


def _list_part(part: str, answered: Sequence[tuple[ChecklistLine, str | None]]) -> Table:
    rows = []
    for line, answer in answered:
        given_by = _LINK.sub(r"\1", line.given_by).replace("`", "")
        rows.append([line.item, OPEN if answer is None else "answered", answer or given_by])
    return Table(
        caption=part,
        header=["Item", "State", "Answer, or what gives it"],
        rows=rows,
        numeric=False,
    )
