"""What several runs amount to, and how much evidence that is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cxr.plain_text import count
from cxr.repeat.report import CONFIDENCE, derive_excluded_rate
from cxr.repeat.vary import FactorsReport
from cxr.reports.html.blocks import Tone
from cxr.reports.html.several.members import Member, Members, is_drawn_by

Word = Literal[
    "identical", "different", "distribution", "harmless", "changes-bits", "incomplete", "edited"
]

_MOST_LISTED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What several runs amount to.

    Attributes:
        word: The verdict.
        tone: Whether it is as it should be.
        text: It in a sentence.
        details: What it rests on, and what is not as it should be.
        moved: Config fields that choose what is drawn, and in which runs with an outcome differ.
        others: Config fields and inputs in which they differ besides.
    """

    word: Word
    tone: Tone
    text: str
    details: Sequence[str]
    moved: Sequence[str]
    others: Sequence[str]


def judge(
    members: Members, *, affecting: Sequence[str] = (), factors: FactorsReport | None = None
) -> Judgement:
    """Return the verdict on several runs.

    Only runs that completed, and whose record is as it was written, are compared. That they should
    be equal is known where nothing in their recipes differs; where but the seed, or the root of a
    stream, does, they are a sample of what training gives.

    Args:
        members: The runs.
        affecting: Names of all inputs and facts that differ between the first run and others, and
            affect bits.
        factors: What each factor does, of a repeat that varies them.
    """
    done = members.with_outcome
    differing = find_differing(done)
    moved = [name for name in differing if is_drawn_by(name)]
    others = [*(name for name in differing if name not in moved), *_find_inputs(done)]
    if "data.split_seed" in moved:
        # The samples are others because they were split otherwise.
        others = [name for name in others if name != "data"]
    kind = _name_kind(done, moved, others)
    edited = [run for run in members.runs if run.findings]
    word: Word
    tone: Tone
    if edited or members.findings:
        word, tone, text = "edited", "bad", _say_edited(edited)
    elif len(done) < members.num_asked:
        word, tone, text = "incomplete", "bad", _say_incomplete(members)
    elif factors is not None:
        word, tone, text = _judge_factors(factors)
    else:
        word = kind
        # The field that was moved explains nothing between two runs with one value of it.
        besides = [name for name in affecting if not is_drawn_by(name)]
        tone = _choose_tone(kind, [*others, *besides])
        text = _say(kind, done, [*moved, *others], besides)
    details = list(_list_details(members, done, kind, word))
    return Judgement(word=word, tone=tone, text=text, details=details, moved=moved, others=others)


def _judge_factors(found: FactorsReport) -> tuple[Word, Tone, str]:
    if not found.repeats:
        return "different", "bad", "Different: the recipe as it is does not repeat."
    changing = [one for one in found.effects if one.status == "changes-bits"]
    if not changing:
        taken = sum(one.status == "harmless" for one in found.effects)
        if not taken:
            return "incomplete", "plain", "Nothing was varied: no setting could be taken here."
        said = f"Harmless: none of {count(taken, 'setting')} that were varied changes a bit."
        return "harmless", "good", said
    broken = [f"{one.factor}={one.value}" for one in changing if one.promised]
    if broken:
        said = f"Bits change where the level promises that none does: {_join(broken)}."
        return "changes-bits", "bad", said
    names = [f"{one.factor}={one.value}" for one in changing]
    return "changes-bits", "plain", f"Bits change with {_join(names)}; no promise is broken."


def find_differing(runs: Sequence[Member]) -> list[str]:
    """Return the fields of the recipes' configs that are not the same in all runs, sorted."""
    names = {name for run in runs for name in run.fields}
    return sorted(
        name
        for name in names
        if any(run.fields.get(name, ...) != runs[0].fields.get(name, ...) for run in runs[1:])
    )


def _find_inputs(runs: Sequence[Member]) -> list[str]:
    """Return which other inputs of the recipes are not the same in all runs."""
    told = {
        "data_digest": "data",
        "weights_in": "given weights",
        "code_digest": "code",
        "arithmetic": "arithmetic",
    }
    return [
        word
        for name, word in told.items()
        if any(run.inputs.get(name) != runs[0].inputs.get(name) for run in runs[1:])
    ]


def is_equal(a: Member, b: Member) -> bool:
    """Say whether two runs have the same outcome and the same trace."""
    return (a.outcome, a.trace) == (b.outcome, b.trace)


def _name_kind(
    done: Sequence[Member], moved: Sequence[str], others: Sequence[str]
) -> Literal["identical", "different", "distribution"]:
    if all(is_equal(run, done[0]) for run in done[1:]):
        return "identical"
    firsts: dict[str, Member] = {}
    for run in done:
        first = firsts.setdefault(json.dumps([run.fields.get(name) for name in moved]), run)
        if not is_equal(run, first):
            # Nothing was drawn otherwise, so this is no spread over seeds.
            return "different"
    return "distribution" if moved and not others else "different"


def _choose_tone(kind: str, reasons: Sequence[str]) -> Tone:
    """Return good for equal runs, bad for others that nothing tells apart."""
    if kind == "identical":
        return "good"
    if kind == "distribution":
        return "plain"
    return "plain" if reasons else "bad"


def _say(kind: str, done: Sequence[Member], recipe: Sequence[str], affecting: Sequence[str]) -> str:
    runs = count(len(done), "run")
    if kind == "identical":
        return f"Identical: {runs} with the same weights, predictions and trace, bit for bit."
    if kind == "distribution":
        return f"A distribution: {runs} that differ in {_join(recipe)} alone."
    if recipe and all(map(is_drawn_by, recipe)):
        said = f"Different: of {runs}, some with the same {_join(recipe)} are not equal."
        return said + (
            f" What affects bits was not the same: {_join(affecting)}." if affecting else ""
        )
    if recipe:
        return f"Different: {runs} of recipes that differ in {_join(recipe)}."
    if affecting:
        return (
            f"Different: {runs} of one recipe are not equal. What affects bits was not the same: "
            f"{_join(affecting)}."
        )
    return (
        f"Different: {runs} of one recipe are not equal, and nothing that is recorded and affects "
        "bits differs. This is a fault."
    )


def _say_incomplete(members: Members) -> str:
    done, asked = len(members.with_outcome), members.num_asked
    return f"Incomplete: {done:,} of {count(asked, 'run')} came to an end."


def _say_edited(edited: Sequence[Member]) -> str:
    if not edited:
        return "Not as it was written: the record of the repeat was changed."
    which = _join([run.label for run in edited])
    return f"Not as it was written: the record of {which}. It is left out of every comparison."


def _list_details(members: Members, done: Sequence[Member], kind: str, word: str) -> list[str]:
    lines = [
        f"{run.label}, {one.path}: {one.problem}" for run in members.runs for one in run.findings
    ]
    lines += [f"{one.path}: {one.problem}" for one in members.findings]
    if len(lines) > _MOST_LISTED:
        lines = [*lines[:_MOST_LISTED], f"and {len(lines) - _MOST_LISTED:,} more findings"]
    unfinished = [run for run in members.runs if run.is_sound and run.status != "completed"]
    unfinished += [run for run in members.runs if run.status == "missing"]
    lines += [_describe_unfinished(run) for run in unfinished[:_MOST_LISTED]]
    if len(unfinished) > _MOST_LISTED:
        lines.append(f"and {len(unfinished) - _MOST_LISTED:,} more that did not complete")
    never = members.num_asked - len(members.runs)
    if never > 0:
        lines.append(f"{count(never, 'run')} never began")
    if word in ("edited", "incomplete") and len(done) > 1:
        same = "are equal" if kind == "identical" else "are not all equal"
        lines.append(f"the {len(done):,} runs that can be compared {same}")
    lines += _describe_evidence(done, kind)
    return lines


def _describe_unfinished(run: Member) -> str:
    if run.status == "running":
        return f"{run.label}: never ended: a process still writes to it, or it was killed"
    steps = "" if run.num_steps is None else f" after {count(run.num_steps, 'step')}"
    why = f": {run.failure}" if run.failure else ""
    return f"{run.label}: {run.status}{steps}{why}"


def _describe_evidence(done: Sequence[Member], kind: str) -> list[str]:
    """Say what equal runs exclude, or into how many outcomes others fall."""
    if len(done) < 2:  # noqa: PLR2004 - one run is compared with nothing
        return ["one run or none can be compared: this says nothing about repeating"]
    if kind == "identical":
        rate = derive_excluded_rate(len(done))
        lines = []
        if rate is not None and not find_differing(done) and not _find_inputs(done):
            lines.append(
                f"{count(len(done), 'equal run')} exclude, at {CONFIDENCE * 100:.0f} %, "
                f"that more than {rate * 100:.3g} % of runs differ"
            )
        return lines
    outcomes = len({(run.outcome, run.trace) for run in done})
    return [f"{count(outcomes, 'outcome')} in {count(len(done), 'run')}"]


def _join(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_LISTED])
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
