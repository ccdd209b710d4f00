"""What came of running one recipe several times: equal or not, and how much evidence that is."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from cxr.compare.report import Divergence
from cxr.errors import RecordError
from cxr.records.figures import flatten_figures
from cxr.records.manifest import STATUSES, Manifest, load_manifest, load_sealed_run

if TYPE_CHECKING:
    from cxr.repeat.seeds import SeedsReport
    from cxr.repeat.vary import FactorsReport

CONFIDENCE: Final = 0.95
UNREADABLE: Final = "unreadable"

_IF_ANY: Final = ("against", "unfinished", "varied", "seeds", "factors")

Verdict = Literal[
    "zero-variance",
    "variance",
    "different",
    "incomplete",
    "distribution",
    "harmless",
    "changes-bits",
]
Spread = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstReport:
    """Whether every run equals one that was given.

    Attributes:
        run: The run, or the golden's file.
        outcome_digest: Its outcome.
        trace_digest: Its trace; None where a golden does not say.
        equal: Whether all runs have both; None where none differs and some did not complete.
        differing: The first run that differs, or None.
        first_divergence: Where that one left it, or None; a golden cannot tell.
    """

    run: str
    outcome_digest: str
    trace_digest: str | None
    equal: bool | None
    differing: str | None
    first_divergence: Divergence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatReport:
    """The answer of ``cxr repeat``.

    Attributes:
        n: Runs asked for.
        verdict: ``zero-variance`` only if all runs completed with equal outcome and trace;
            ``variance`` as soon as two differ, whatever came of the others; ``different`` where not
            all completed and one differs from what it was to equal; ``distribution`` over seeds;
            ``harmless`` or ``changes-bits`` where factors are varied.
        runs: Run directories, in order.
        outcome_digests: One a completed run.
        trace_digests: One a completed run.
        excluded_rate: Rates of divergence above this are excluded at 95 %; None without evidence.
        metrics: Mean, standard deviation, least and greatest of each figure, by its dotted name.
        against: What every run was to equal, and whether it does; None where nothing was named.
        unfinished: The status of each run that is there and did not complete, by its name; that of
            one that was killed is ``running``.
        varied: What was other than in the first run, in words, by run.
        seeds: The distribution, of a series over seeds.
        factors: What each does, of a series that varies them.
    """

    n: int
    verdict: Verdict
    runs: list[str]
    outcome_digests: list[str]
    trace_digests: list[str]
    excluded_rate: float | None
    metrics: dict[str, Spread]
    against: AgainstReport | None = None
    unfinished: dict[str, str] = field(default_factory=dict)
    varied: dict[str, list[str]] = field(default_factory=dict)
    seeds: SeedsReport | None = None
    factors: FactorsReport | None = None

    @property
    def differs(self) -> bool:
        """Whether something differs that must not, whatever is still missing."""
        broken = self.factors is not None and self.factors.breaks_promise
        unequal = self.against is not None and self.against.equal is False
        return self.verdict in ("variance", "different") or broken or unequal

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values; what not every series has, only where it is."""
        return {name: value for name, value in asdict(self).items() if name not in _IF_ANY or value}


def derive_excluded_rate(num_runs: int) -> float | None:
    """Return the divergence rate that ``num_runs`` equal runs exclude at 95 %.

    If each run after the first differed with probability p, all would agree with probability
    (1 - p)^(num_runs - 1); above the returned p that is less than 5 %.
    """
    if num_runs < 2:  # noqa: PLR2004 - one run agrees with itself
        return None
    return 1.0 - float((1 - CONFIDENCE) ** (1 / (num_runs - 1)))


def summarise_runs(runs: Sequence[Path], num_runs: int) -> RepeatReport:
    """Compare run directories that are there."""
    found = load_completed(runs)
    completed = list(found.values())
    outcomes = [manifest["outcome_digest"] for manifest in completed]
    traces = [manifest["trace_digest"] for manifest in completed]
    equal = len(set(outcomes)) == 1 and len(set(traces)) == 1
    verdict: Verdict = "zero-variance" if equal else "variance"
    # Two that differ stay different, whatever comes of those that are missing.
    if len(completed) < num_runs and (equal or not completed):
        verdict = "incomplete"
    return RepeatReport(
        n=num_runs,
        verdict=verdict,
        runs=[str(run) for run in runs],
        outcome_digests=outcomes,
        trace_digests=traces,
        excluded_rate=derive_excluded_rate(len(completed)) if equal else None,
        metrics=_summarise_metrics(completed),
        unfinished={run.name: read_status(run) for run in runs if run not in found},
    )


def name_verdict(verdict: Verdict, *, equals_wanted: bool | None) -> Verdict:
    """Return the verdict on runs that were to equal another one as well.

    Of equal runs, or of one alone, some may be missing and a difference found all the same: that is
    no more open.

    Args:
        verdict: On the runs among each other.
        equals_wanted: Whether they equal what they were to equal, as `judge_against` says.
    """
    return "different" if verdict == "incomplete" and equals_wanted is False else verdict


def judge_against(
    outcome: str, trace: str | None, pairs: Sequence[tuple[str, str]], num_runs: int
) -> tuple[bool | None, int | None]:
    """Say whether runs equal what they were to equal, and which is the first that does not.

    Args:
        outcome: The outcome that each must have.
        trace: The trace that each must have; None: any.
        pairs: Outcome and trace of each completed run.
        num_runs: How many there were to be.
    """
    for place, pair in enumerate(pairs):
        if pair != (outcome, trace if trace is not None else pair[1]):
            return False, place
    return (True if len(pairs) == num_runs else None), None


def load_completed(runs: Sequence[Path]) -> dict[Path, Manifest]:
    """Return the manifests of those runs that completed, by their directories."""
    found = {}
    for run in runs:
        with contextlib.suppress(RecordError):
            found[run] = load_sealed_run(run, completed=True)
    return found


def read_status(run: Path) -> str:
    """Return what a run's manifest says of how it ended; ``unreadable`` where it says nothing."""
    try:
        status = load_manifest(run).get("status")
    except RecordError:
        return UNREADABLE
    return status if status in STATUSES else UNREADABLE


def _summarise_metrics(manifests: Sequence[Manifest]) -> dict[str, Spread]:
    """Return the spread of every figure that is defined in all runs."""
    flat = [flatten_figures(manifest["metrics"]) for manifest in manifests]
    spreads: dict[str, Spread] = {}
    for name in flat[0] if flat else ():
        values = [value for one in flat if (value := one.get(name)) is not None]
        if len(values) == len(flat):
            spreads[name] = {
                # Exact in between: equal values have a deviation of exactly 0.
                "mean": statistics.mean(values),
                "std": statistics.stdev(values) if len(values) > 1 else 0.0,
                "min": min(values),
                "max": max(values),
            }
    return spreads
