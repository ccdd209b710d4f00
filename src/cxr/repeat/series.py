"""What a series of runs was asked for, and its plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cxr.config.schema import RunConfig
from cxr.errors import RecordError
from cxr.repeat.plan import RunPlan, plan_equal_runs
from cxr.repeat.seeds import plan_seed_runs
from cxr.repeat.stress import plan_stressed_runs
from cxr.repeat.vary import plan_varied_runs

EQUAL: Final = "equal"
"""The kind of a series whose runs nothing tells apart."""

STRESS: Final = "stress"
"""The kind of a series whose runs have other surroundings."""

SEEDS: Final = "seeds"
"""The kind of a series whose runs have other seeds."""

VARY: Final = "vary"
"""The kind of a series in which one factor at a time is varied."""

_PLANNERS: Final[Mapping[str, Callable[[Series], Sequence[RunPlan]]]] = {
    EQUAL: lambda series: plan_equal_runs(series.config, series.num_runs),
    STRESS: lambda series: plan_stressed_runs(series.config, series.num_runs),
    SEEDS: lambda series: plan_seed_runs(series.config, series.asked),
    VARY: lambda series: plan_varied_runs(series.config, series.asked),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What was asked for.

    Attributes:
        config: The recipe.
        num_runs: How many runs.
        asked: The kind of the series, and what goes with it, as ``repeat.json`` keeps it.
        against: What the runs had to equal, as a record has it; None where nothing was named.
    """

    config: RunConfig
    num_runs: int
    asked: Mapping[str, Any] = field(default_factory=lambda: {"kind": EQUAL})
    against: Mapping[str, Any] | None = None

    @property
    def kind(self) -> str:
        """The kind of the series; records of the first release are of equal runs."""
        return str(self.asked.get("kind", EQUAL))


def plan_series(series: Series) -> Sequence[RunPlan]:
    """Return a plan for each run; the same series always has the same.

    Raises:
        RecordError: The record of a series is of a kind that this version does not know.
    """
    planner = _PLANNERS.get(series.kind)
    if planner is None:
        raise RecordError(
            f"a repeat of an unknown kind: {series.kind[:40]}",
            where="repeat.json",
            hint="go on with it in the version of cxr that began it",
        )
    return planner(series)
