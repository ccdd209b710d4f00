"""What went into the runs differently: each difference from the first run once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cxr.compare.inputs import find_differences
from cxr.compare.report import Difference
from cxr.errors import RecordError
from cxr.records.manifest import load_sealed_run
from cxr.reports.html.blocks import Block, Section, Statement, Table, Text
from cxr.reports.html.several.members import Member, Members
from cxr.reports.html.wording import count, show_value

MOST_COMPARED: Final = 24
"""Runs of which inputs are looked into; each needs several files to be read."""

_MOST_ROWS: Final = 60
_MOST_VALUES: Final = 6

_Found = dict[tuple[str, str], list[tuple[str, Difference]]]


def describe_differences(members: Members) -> Section | None:
    """Return the section, or None where there are no two runs whose records can be relied on."""
    sound = [run for run in members.runs if run.is_sound]
    if len(sound) < 2:  # noqa: PLR2004 - one run differs from nothing
        return None
    reference, *others = sound
    compared = others[:MOST_COMPARED]
    found, unread = _collect(reference, compared)
    blocks: list[Block] = [
        Text(
            text=f"What went into {reference.label}, the reference, and into the others. What "
            "follows from a difference is not listed beside it. Whether it is the cause is found "
            "by running again with one input exchanged: cxr diff --bisect."
        )
    ]
    if len(others) > len(compared):
        blocks.append(
            Text(text=f"Looked into are the first {len(compared):,} of {count(len(others), 'run')}.")
        )
    blocks += [Statement(tone="bad", text=text) for text in unread]
    if found:
        blocks.append(_tabulate(reference, found, len(compared)))
    else:
        blocks.append(Statement(tone="good", text="No input and no fact of the machine differs."))
    return Section(name="differences", title="Differences", blocks=blocks)


def _collect(reference: Member, others: Sequence[Member]) -> tuple[_Found, list[str]]:
    """Return differences by part and field, and what could not be compared."""
    found: _Found = {}
    unread = []
    first = load_sealed_run(reference.directory)
    for run in others:
        second = load_sealed_run(run.directory)
        try:
            differences = find_differences(reference.directory, run.directory, first, second)
        except RecordError as error:
            unread.append(f"{run.label} cannot be compared: {error.problem}")
            continue
        for one in differences:
            found.setdefault((one.part, one.field), []).append((run.label, one))
    return found, unread


def _tabulate(reference: Member, found: _Found, num_compared: int) -> Table:
    rank = {"yes": 0, "unknown": 1, "no": 2}
    entries = sorted(
        found.items(), key=lambda item: min(rank[one.affects_bits] for _, one in item[1])
    )
    rows = [
        [
            field,
            part,
            show_value(differences[0][1].a),
            _list_values(differences),
            _list_runs([label for label, _ in differences], num_compared),
            _say_effect([one for _, one in differences]),
        ]
        for (part, field), differences in entries[:_MOST_ROWS]
    ]
    more = len(entries) - _MOST_ROWS
    caption = "Differences from the reference, those that affect bits first"
    if more > 0:
        caption += f"; {more:,} further ones are not shown"
    header = ["What", "Part", reference.label, "Others", "In", "Affects bits"]
    return Table(caption=caption, header=header, rows=rows, numeric=False)


def _list_values(differences: Sequence[tuple[str, Difference]]) -> str:
    values: Mapping[str, None] = dict.fromkeys(show_value(one.b) for _, one in differences)
    shown = list(values)[:_MOST_VALUES]
    more = len(values) - len(shown)
    return "; ".join(shown) + (f" and {more:,} more" if more else "")


def _list_runs(labels: Sequence[str], num_compared: int) -> str:
    if len(labels) == num_compared and num_compared > 1:
        return "all others"
    shown = labels[:_MOST_VALUES]
    more = len(labels) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _say_effect(differences: Sequence[Difference]) -> str:
    effects = {one.affects_bits for one in differences}
    effect = next(one for one in ("yes", "unknown", "no") if one in effects)
    if any(one.cause for one in differences):
        return f"{effect}, and is the cause"
    return effect
