"""Finding which differing input makes two runs part: exchanging them and running again.

The first run's recipe is run up to the step where the runs part, with some of the differing inputs
taken from the second. If that step is then as the second run has it, those inputs are the cause.
One input at a time is tried first, then halves of all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cxr.compare.recorded_variables import read_choices
from cxr.compare.replay import describe_replayed, explain_predictions, say_left
from cxr.compare.replay_process import RecordedRun, ReplayFailedError, run_replay
from cxr.compare.report import BisectReport, Difference, Divergence, ReplayedRun
from cxr.config.load import load_config
from cxr.determinism.variables import NOT_RECORDED
from cxr.progress import Progress
from cxr.records.run_config import derive_moved_fields
from cxr.records.run_directory import CONFIG

_VARIABLES: Final = "variables."
_SOURCE: Final = "data.source"
_OF_DATA: Final = "data."


@dataclass(frozen=True, slots=True)
class Exchange:
    """Inputs of the second run that the first can be run with.

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


@dataclass(slots=True)
class Search:
    """What a search for causes found.

    Attributes:
        causes: A smallest set of exchanges that makes the first run the second; or none.
        ruled_out: Exchanges that were tried and are not among them.
        tried: How many sets were tried.
    """

    causes: list[Exchange] = field(default_factory=list)
    ruled_out: list[Exchange] = field(default_factory=list)
    tried: int = 0


def bisect_differences(
    a: RecordedRun,
    b: RecordedRun,
    divergence: Divergence,
    differences: Sequence[Difference],
    *,
    unchanged: ReplayedRun | None = None,
    progress: Progress,
) -> tuple[list[Difference], BisectReport]:
    """Say of each difference whether it is why two runs part.

    Args:
        a: The first run.
        b: The second.
        divergence: Where they part.
        differences: What went in differently.
        unchanged: The first run, run again as it was up to where they part; by default that is
            done here.
        progress: Told what is being tried.

    Returns:
        The differences, with a ``cause`` where that was tried, and what was tried.

    Raises:
        ReplayFailedError: The first run cannot be run again here.
        Interrupted: A signal came.
    """
    exchanges, left = derive_exchanges(b, differences)
    not_exchanged = [f"{one.part} {one.field}" for one in left]
    note = _find_obstacle(a, b, divergence, unchanged, progress) if exchanges else None
    search = Search()
    if note is None:

        def gives_b(subset: Sequence[Exchange]) -> bool:
            progress.note(f"run a with {', '.join(one.name for one in subset)} of run b")
            return _is_run_b(a, b, divergence, subset)

        search = find_causes(exchanges, gives_b)
    verdicts = {
        id(difference): verdict
        for verdict, found in ((True, search.causes), (False, search.ruled_out))
        for one in found
        for difference in one.differences
    }
    judged = [replace(one, cause=verdicts.get(id(one))) for one in differences]
    return judged, BisectReport(
        tried=search.tried,
        causes=[one.name for one in search.causes],
        not_exchanged=not_exchanged,
        note=note,
    )


def find_causes(
    exchanges: Sequence[Exchange], gives_b: Callable[[Sequence[Exchange]], bool]
) -> Search:
    """Look for a smallest set of exchanges that makes the first run the second.

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

    for number, one in enumerate(exchanges):
        if suffices([one]):
            return Search(causes=[one], ruled_out=list(exchanges[:number]), tried=len(known))
    if not exchanges or not suffices(exchanges):
        # Nothing is ruled out: what cannot be exchanged may act together with any of them.
        return Search(tried=len(known))
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
    ruled_out = [one for one in exchanges if one not in kept]
    return Search(causes=kept, ruled_out=ruled_out, tried=len(known))


def derive_exchanges(
    b: RecordedRun, differences: Sequence[Difference]
) -> tuple[list[Exchange], list[Difference]]:
    """Return what can be taken from the second run, and the differences that cannot.

    What is known not to affect bits is neither. Fields of another kind of data go together.
    """
    affecting = [one for one in differences if one.affects_bits != "no"]
    config = load_config(b.directory / CONFIG)
    places: dict[str, str | None] = {"data.root": config.data.root}
    if config.data.source == "csv":
        places["data.csv.file"] = config.data.csv.file
    if b.root is not None:
        places |= derive_moved_fields(config.data, b.root)
    fields = [one for one in affecting if one.part == "config"]
    together = [one for one in fields if one.field.startswith(_OF_DATA)]
    if not any(one.field == _SOURCE for one in together):
        together = []
    exchanges = [
        Exchange(one.field, (one,), overrides=(f"{one.field}={json.dumps(one.b)}",))
        for one in fields
        if one not in together
    ]
    data = (*together, *(one for one in affecting if one.part == "data"))
    if data and (any(places.values()) or together):
        texts = [f"{one.field}={json.dumps(one.b)}" for one in together]
        overrides = (*texts, *(f"{name}={json.dumps(place)}" for name, place in places.items()))
        exchanges.append(Exchange("the data", data, overrides=overrides))
    weights = tuple(one for one in affecting if one.part == "weights")
    if weights:
        given = config.model.weights
        value = None if given is None else json.loads(given.model_dump_json())
        text = f"model.weights={json.dumps(value)}"
        exchanges.append(Exchange("the given weights", weights, overrides=(text,)))
    exchanges += [
        Exchange(one.field.removeprefix(_VARIABLES), (one,), variables=(_take_variable(one),))
        for one in affecting
        if one.part == "environment"
        and one.field.startswith(_VARIABLES)
        and NOT_RECORDED not in (one.a, one.b)
    ]
    covered = {id(difference) for one in exchanges for difference in one.differences}
    return exchanges, [one for one in affecting if id(one) not in covered]


def _take_variable(difference: Difference) -> tuple[str, str | None]:
    return difference.field.removeprefix(_VARIABLES), difference.b


def _find_obstacle(
    a: RecordedRun,
    b: RecordedRun,
    divergence: Divergence,
    unchanged: ReplayedRun | None,
    progress: Progress,
) -> str | None:
    """Say why exchanging inputs would show nothing, or return None."""
    if divergence.what == "end":
        return "one run is done where the other goes on: nothing was tried"
    predicted = explain_predictions(a, b, divergence)
    if predicted is not None:
        return f"{predicted}: nothing was tried"
    # Were it another run today, whatever is exchanged would seem to be the cause.
    if unchanged is None:
        progress.note("run a as it was")
        unchanged = describe_replayed(run_replay(a, ["--step", str(divergence.step)]))
    if unchanged.reproduced:
        return None
    return f"run a does not repeat here: it {say_left(unchanged)}"


def _is_run_b(
    a: RecordedRun, b: RecordedRun, divergence: Divergence, subset: Sequence[Exchange]
) -> bool:
    """Run the first recipe with some inputs of the second; say whether the step is the second's."""
    options = ["--step", str(divergence.step), "--against", str(b.directory)]
    choices: dict[str, str | None] = dict(read_choices(a.manifest))
    for one in subset:
        options += [part for text in one.overrides for part in ("--set", text)]
        choices |= dict(one.variables)
    kept = {name: value for name, value in choices.items() if value is not None}
    try:
        answer = run_replay(a, options, choices=kept)
    except ReplayFailedError:
        # Fields that do not go together are no recipe, so not the second run's either.
        return False
    return describe_replayed(answer).reproduced
