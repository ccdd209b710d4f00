"""The timeline of several runs: one lane a run, equal stretches in one colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cxr.compare.divergence import find_first_divergence
from cxr.compare.report import Divergence
from cxr.errors import RecordError
from cxr.plain_text import count
from cxr.records.manifest import load_sealed_run
from cxr.reports.diff_text import describe_divergence
from cxr.reports.html.blocks import Block, Chart, Section, Statement, Table, Text
from cxr.reports.html.several.lanes import Lane, draw_lanes
from cxr.reports.html.several.members import Member, Members
from cxr.reports.html.several.stretches import Stretch, find_stretches

MOST_LANES: Final = 40

_MOST_OWN_LANES: Final = 24
"""With more runs, those with equal ledgers share a lane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What runs with equal ledgers did.

    Attributes:
        runs: They.
        stretches: Of their ledger.
        divergence: Where they left the first run's ledger; None where they did not.
    """

    runs: Sequence[Member]
    stretches: Sequence[Stretch]
    divergence: Divergence | None


def describe_timeline(members: Members) -> Section | None:
    """Return the section, or None where no run has a ledger that can be relied on."""
    runs = [run for run in members.runs if run.is_sound]
    stretches = find_stretches([run.directory for run in runs])
    told = [(run, cut) for run, cut in zip(runs, stretches, strict=True) if cut]
    if not told:
        return None
    courses = _gather(told)
    parted = [one for one in courses if one.divergence and one.divergence.what != "end"]
    blocks: list[Block] = [
        Text(
            text="Each lane is a run, from its initial state to its last step. Where two lanes "
            "have the same letter and colour, both runs did the same to the bit up to there: each "
            "line of a ledger holds the digest of all before it."
        ),
        _state(courses, parted),
        _draw(courses, len(told)),
    ]
    return Section(name="timeline", title="Timeline", blocks=blocks)


def _gather(told: Sequence[tuple[Member, Sequence[Stretch]]]) -> list[Course]:
    """Put runs with equal ledgers together, in the order of the first of each."""
    groups: dict[tuple[Stretch, ...], list[Member]] = {}
    for run, cut in told:
        groups.setdefault(tuple(cut), []).append(run)
    reference = told[0][0]
    return [
        Course(
            runs=runs,
            stretches=cut,
            divergence=None
            if place == 0 or place >= MOST_LANES
            else _find_divergence(reference, runs[0]),
        )
        for place, (cut, runs) in enumerate(groups.items())
    ]


def _find_divergence(a: Member, b: Member) -> Divergence | None:
    pairs = [(run.directory, load_sealed_run(run.directory)) for run in (a, b)]
    try:
        return find_first_divergence(pairs[0], pairs[1])
    except RecordError:
        # The last line of a run that was killed may have been cut short: that is no divergence.
        return None


def _state(courses: Sequence[Course], parted: Sequence[Course]) -> Statement:
    first = courses[0].runs[0].label
    if not parted:
        return Statement(tone="good", text="No two runs part at any step that both took.")
    details = [
        f"{_name(one.runs)}: {describe_divergence(one.divergence)}"
        for one in parted
        if one.divergence
    ]
    more = len(courses) - MOST_LANES
    if more > 0:
        details.append(f"and {count(more, 'ledger')} more, which are not looked into here")
    earliest = min(one.divergence.step for one in parted if one.divergence)
    step = "the initial state" if earliest < 0 else f"step {earliest:,}"
    return Statement(
        tone="plain", text=f"The first divergence from {first} is at {step}.", details=details
    )


def _name(runs: Sequence[Member]) -> str:
    first, *others = runs
    return first.label if not others else f"{first.label} and {len(others):,} equal to it"


def _draw(courses: Sequence[Course], num_runs: int) -> Chart:
    if num_runs <= _MOST_OWN_LANES:
        rows = [(run.label, run, one) for one in courses for run in one.runs]
    else:
        rows = [(_name(one.runs), one.runs[0], one) for one in courses[:MOST_LANES]]
    owners = {one: rank for rank, one in enumerate(_list_owners(courses))}
    lanes = [
        Lane(
            label=label,
            stretches=[(cut.begin - 1, cut.end - 1, owners[cut.owner]) for cut in one.stretches],
            divergence=_place(one.divergence),
            resumed_at=run.resumed_at,
            ending="" if run.status == "completed" else run.status,
        )
        for label, run, one in rows
    ]
    left_out = len(courses) - MOST_LANES if num_runs > _MOST_OWN_LANES else 0
    more = f" {left_out:,} further ledgers are not drawn." if left_out > 0 else ""
    description = (
        f"{count(len(lanes), 'lane')} of {count(num_runs, 'run')}.{more} "
        "The table below says where each run leaves the first."
    )
    title = "What the runs have in common, by step"
    return Chart(
        title=title,
        description=description,
        svg=draw_lanes(lanes, title=title, description=description),
        table=_tabulate(courses[:MOST_LANES]),
    )


def _list_owners(courses: Sequence[Course]) -> list[int]:
    return sorted({cut.owner for one in courses for cut in one.stretches})


def _place(parted: Divergence | None) -> int | None:
    return None if parted is None or parted.what == "end" else parted.step


def _tabulate(courses: Sequence[Course]) -> Table:
    header = ["Runs", "Lines", "Leaves the first", "Epoch", "Step", "In", "Tensor"]
    rows = []
    for one in courses:
        parted = one.divergence
        left = ["no", "-", "-", "-", "-"]
        if parted is not None and parted.what == "end":
            left = ["no, one ends", str(parted.epoch), str(parted.step), "-", "-"]
        elif parted is not None:
            epoch, step = str(parted.epoch), str(parted.step)
            left = ["yes", epoch, step, parted.what, parted.tensor or "-"]
        lines = one.stretches[-1].end
        rows.append([_name(one.runs), f"{lines:,}", *left])
    caption = "Where each ledger leaves the first run's; step -1 is the initial state"
    return Table(caption=caption, header=header, rows=rows)
