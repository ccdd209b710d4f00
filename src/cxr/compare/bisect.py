"""Finding which differing input makes two runs part: exchanging them and running again.

The first run's recipe is run up to the step where the runs part, with some of the differing inputs
taken from the second. If that step is then as the second run has it, those inputs are the cause.
One input at a time is tried first, then halves of all of them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cxr.compare.replay import read_choices, run_replay
from cxr.compare.report import BisectReport, Difference, Divergence
from cxr.config.load import load_config
from cxr.progress import Progress
from cxr.records.manifest import Manifest
from cxr.records.run_directory import CONFIG

_VARIABLES: Final = "variables."
_DATA: Final = "data"
_WEIGHTS: Final = "weights"

_Run = tuple[Path, Manifest]


@dataclass(frozen=True, slots=True)
class Exchange:
    """An input of the second run that the first can be run with.

    Attributes:
        name: What is exchanged, for a person.
        differences: The differences that it covers.
        overrides: Changes of the recipe, as ``--set`` takes them.
        variables: Environment variables; None unsets one.
    """

    name: str
    differences: tuple[Difference, ...]
    overrides: tuple[str, ...] = ()
    variables: tuple[tuple[str, str | None], ...] = ()


def bisect_differences(
    a: _Run,
    b: _Run,
    divergence: Divergence,
    differences: Sequence[Difference],
    *,
    progress: Progress,
) -> tuple[list[Difference], BisectReport]:
    """Say of each difference whether it is why two runs part.

    Args:
        a: Directory and manifest of the first run.
        b: Of the second.
        divergence: Where they part.
        differences: What went in differently.
        progress: Told what is being tried.

    Returns:
        The differences with their ``cause`` where it was tried, and what was tried.

    Raises:
        RecordError: A changed recipe cannot be run here.
    """
    exchanges, left = derive_exchanges(b, differences)
    tried = 0

    def gives_b(subset: Sequence[Exchange]) -> bool:
        nonlocal tried
        tried += 1
        progress.note(f"run a with {', '.join(one.name for one in subset)} of run b")
        return _is_run_b(a, b, divergence, subset)

    causes = [] if divergence.what == "end" else find_causes(exchanges, gives_b)
    judged = []
    for difference in differences:
        exchanged = any(difference in one.differences for one in exchanges)
        causal = any(difference in one.differences for one in causes)
        # Without an answer nothing is ruled out.
        verdict = (causal if causes else None) if exchanged else None
        judged.append(replace(difference, cause=verdict))
    return judged, BisectReport(
        tried=tried,
        causes=[one.name for one in causes],
        not_exchanged=[f"{one.part} {one.field}" for one in left],
    )


def find_causes(
    exchanges: Sequence[Exchange], gives_b: Callable[[Sequence[Exchange]], bool]
) -> list[Exchange]:
    """Return a smallest set of exchanges that makes the first run the second; empty if none does.

    One at a time first: one cause is the rule. Then by delta debugging, leaving out halves and
    quarters as long as the rest still suffices; the tries grow with the square of the exchanges
    at worst.

    Source: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002.
    """
    known: dict[frozenset[str], bool] = {}

    def suffices(subset: Sequence[Exchange]) -> bool:
        names = frozenset(one.name for one in subset)
        if names not in known:
            known[names] = gives_b(subset)
        return known[names]

    for one in exchanges:
        if suffices([one]):
            return [one]
    if not exchanges or not suffices(exchanges):
        return []
    kept, parts = list(exchanges), 2
    while len(kept) > 1:
        size = -(-len(kept) // parts)
        chunks = [kept[start : start + size] for start in range(0, len(kept), size)]
        rests = [[one for one in kept if one not in chunk] for chunk in chunks]
        smaller = next((rest for rest in rests if rest and suffices(rest)), None)
        if smaller is not None:
            kept, parts = smaller, max(parts - 1, 2)
        elif parts >= len(kept):
            break
        else:
            parts = min(len(kept), 2 * parts)
    return kept


def derive_exchanges(
    b: _Run, differences: Sequence[Difference]
) -> tuple[list[Exchange], list[Difference]]:
    """Return what can be taken from the second run, and the differences that cannot.

    What is known not to affect bits is neither.
    """
    affecting = [one for one in differences if one.affects_bits != "no"]
    config = load_config(b[0] / CONFIG)
    exchanges = [
        Exchange(one.field, (one,), overrides=(f"{one.field}={json.dumps(one.b)}",))
        for one in affecting
        if one.part == "config"
    ]
    data = tuple(one for one in affecting if one.part == _DATA)
    if data and config.data.root is not None:
        text = f"data.root={json.dumps(config.data.root)}"
        exchanges.append(Exchange("the data", data, overrides=(text,)))
    weights = tuple(one for one in affecting if one.part == _WEIGHTS)
    if weights:
        given = config.model.weights
        value = None if given is None else json.loads(given.model_dump_json())
        text = f"model.weights={json.dumps(value)}"
        exchanges.append(Exchange("the given weights", weights, overrides=(text,)))
    exchanges += [
        Exchange(name, (one,), variables=((name, one.b),))
        for one in affecting
        if one.part == "environment" and (name := one.field.removeprefix(_VARIABLES)) != one.field
    ]
    covered = [difference for one in exchanges for difference in one.differences]
    return exchanges, [one for one in affecting if one not in covered]


def _is_run_b(a: _Run, b: _Run, divergence: Divergence, subset: Sequence[Exchange]) -> bool:
    """Run the first recipe with some inputs of the second; say whether the step is the second's."""
    options = ["--step", str(divergence.step), "--against", str(b[0].resolve())]
    choices: dict[str, str | None] = dict(read_choices(a[1]))
    for one in subset:
        options += [part for text in one.overrides for part in ("--set", text)]
        choices |= dict(one.variables)
    kept = {name: value for name, value in choices.items() if value is not None}
    with tempfile.TemporaryDirectory() as place:
        answer = run_replay(options, a[0], kept, Path(place) / "answer.json")
    return answer["left_at"] is None
