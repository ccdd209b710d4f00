"""What went into the runs differently: each difference from the first run once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cxr.compare.inputs import find_differences
from cxr.compare.report import Difference
from cxr.errors import RecordError
from cxr.plain_text import count
from cxr.records.manifest import load_sealed_run
from cxr.reports.html.blocks import Block, Section, Statement, Table, Text
from cxr.reports.html.several.members import Member, Members
from cxr.reports.html.wording import show_value

MOST_COMPARED: Final = 24
"""Runs of which inputs are looked into; each needs several files to be read."""

_MOST_ROWS: Final = 60
_MOST_VALUES: Final = 6

_SHORT: Final = 12
_DIGEST: Final = "sha256:"

_Found = dict[tuple[str, str], list[tuple[str, Difference]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What was found between the first run and others.

    Attributes:
        reference: The first run whose record can be relied on.
        others: Those compared with it.
        num_others: How many there were to compare.
        found: By part and field, the run and the difference.
        unread: What could not be compared, in sentences.
    """

    reference: Member
    others: Sequence[Member]
    num_others: int
    found: Mapping[tuple[str, str], Sequence[tuple[str, Difference]]]
    unread: Sequence[str]

    @property
    def affecting(self) -> list[str]:
        """Names of what differs and affects bits."""
        return [
            field
            for (_, field), differences in self.found.items()
            if any(one.affects_bits == "yes" for _, one in differences)
        ]


def collect_differences(members: Members) -> Differences | None:
    """Compare what went into the runs; None where there are no two records to rely on."""
    sound = [run for run in members.runs if run.is_sound]
    if len(sound) < 2:  # noqa: PLR2004 - one run differs from nothing
        return None
    reference, *others = sound
    compared = others[:MOST_COMPARED]
    found, unread = _collect(reference, compared)
    return Differences(
        reference=reference,
        others=compared,
        num_others=len(others),
        found=found,
        unread=unread,
    )


def describe_differences(differences: Differences) -> Section:
    """Return the section."""
    reference, compared = differences.reference, differences.others
    found = differences.found
    blocks: list[Block] = [
        Text(
            text=f"What went into {reference.label}, the reference, and into the others. What "
            "follows from a difference is not listed beside it. Whether it is the cause is found "
            "by running again with one input exchanged: cxr diff --bisect."
        )
    ]
    if differences.num_others > len(compared):
        every = count(differences.num_others, "other run")
        blocks.append(Text(text=f"Looked into are the first {len(compared):,} of {every}."))
    blocks += [Statement(tone="bad", text=text) for text in differences.unread]
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


def _tabulate(
    reference: Member,
    found: Mapping[tuple[str, str], Sequence[tuple[str, Difference]]],
    num_compared: int,
) -> Table:
    rank = {"yes": 0, "unknown": 1, "no": 2}
    entries = sorted(
        found.items(), key=lambda item: min(rank[one.affects_bits] for _, one in item[1])
    )
    rows = [
        [
            field,
            part,
            _show(differences[0][1].a),
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
    values: Mapping[str, None] = dict.fromkeys(_show(one.b) for _, one in differences)
    shown = list(values)[:_MOST_VALUES]
    more = len(values) - len(shown)
    return "; ".join(shown) + (f" and {more:,} more" if more else "")


def _show(value: Any) -> str:
    """Return a value for a cell: nothing in words, of a digest its first digits."""
    if value is None:
        return "none"
    if isinstance(value, str) and value.startswith(_DIGEST):
        return value.removeprefix(_DIGEST)[:_SHORT]
    return show_value(value)


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
