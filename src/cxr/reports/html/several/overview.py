"""The verdict on several runs, first of all, and which runs they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cxr.determinism.levels import PROMISES, Level
from cxr.plain_text import count
from cxr.reports.html.blocks import Block, Facts, Folded, Section, Statement, Table, Text
from cxr.reports.html.several.judgement import Judgement
from cxr.reports.html.several.members import Member, Members

_MOST_SHOWN: Final = 24
_SHORT: Final = 12
_NOTHING: Final = "-"


def describe_overview(members: Members, judgement: Judgement) -> Section:
    """Return the first section: the verdict, and what it rests on."""
    blocks: list[Block] = [
        Statement(tone=judgement.tone, text=judgement.text, details=judgement.details)
    ]
    if judgement.word == "distribution":
        blocks.append(
            Text(
                text="With another seed a spread is expected: it is the result, not a fault. "
                "That a recipe repeats is shown by runs with the same seed."
            )
        )
    sound = [run for run in members.runs if run.is_sound]
    levels = sorted({run.level for run in sound})
    facts = [(f"Promise of {level}", PROMISES[Level(level)]) for level in levels]
    facts.append(("Runs", f"{len(members.runs):,} of {members.num_asked:,} asked for"))
    if not members.is_repeat:
        facts.append(("Order", f"as they were named; {members.runs[0].label} is the reference"))
    return Section(name="verdict", title="Verdict", blocks=[*blocks, Facts(facts=facts)])


def list_runs(members: Members) -> Section:
    """Return the section that says which runs these are."""
    table = _tabulate(members.runs[:_MOST_SHOWN])
    blocks: list[Block] = [table]
    if len(members.runs) > _MOST_SHOWN:
        rest = members.runs[_MOST_SHOWN:]
        blocks.append(
            Folded(summary=f"The other {count(len(rest), 'run')}", blocks=[_tabulate(rest)])
        )
    return Section(name="runs", title="The runs", blocks=blocks)


def _tabulate(runs: Sequence[Member]) -> Table:
    header = ["Run", "Name", "Status", "Seed", "Steps", "Outcome", "Manifest"]
    rows = [
        [
            run.label,
            run.name or _NOTHING,
            run.status if not run.findings else f"{run.status}, record changed",
            str(run.inputs.get("seed", _NOTHING)),
            _NOTHING if run.num_steps is None else f"{run.num_steps:,}",
            _shorten(run.outcome),
            _shorten(run.digest),
        ]
        for run in runs
    ]
    return Table(caption="Runs, by the first digits of their digests", header=header, rows=rows)


def _shorten(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_SHORT] or _NOTHING
