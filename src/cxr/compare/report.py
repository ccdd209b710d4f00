"""What a comparison finds: plain values, for a person's table and for JSON alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["identical", "equivalent", "different"]
Affects = Literal["yes", "no", "unknown"]
Part = Literal["config", "data", "code", "weights", "environment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first thing that two ledgers disagree about.

    Attributes:
        step: Global step; -1 is the initial state.
        epoch: Its epoch.
        what: The part: ``samples``, ``batch``, ``gradients``…, or ``end`` where one run stops.
        tensor: The first tensor of that part that differs, where the side files tell.
    """

    step: int
    epoch: int
    what: str
    tensor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One input in which two runs differ; consequences of another one are not listed.

    Attributes:
        part: Which part of the recipe, or the environment.
        field: Dotted config field, ``<path>`` of an image, ``<path>#label``, or a fact's name.
        a: Its value in the first run.
        b: Its value in the second.
        affects_bits: Whether it does, at the level of these runs.
        cause: Whether it is why the runs part where they do; None where that was not tried.
    """

    part: Part
    field: str
    a: Any
    b: Any
    affects_bits: Affects
    cause: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDifference:
    """A file that two commands left with other bytes, or that one of them did not leave.

    Attributes:
        path: POSIX path below the working directory.
        a: Its SHA-256 in the first record; None where it has none.
        b: In the second.
    """

    path: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionChange:
    """How far apart the predictions of the same images are.

    Attributes:
        images: Images that both runs predicted.
        changed_decisions: Those with another decision.
        largest_probability_change: Largest absolute difference of a probability.
    """

    images: int
    changed_decisions: int
    largest_probability_change: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedRun:
    """Whether a run repeats here.

    Attributes:
        reproduced: Whether every step up to the one asked for is as in its own ledger.
        begun_at: The first step that was run again.
        left_at: The first step that is not, or None.
        left_in: The part of that step, or None.
    """

    reproduced: bool
    begun_at: int
    left_at: int | None
    left_in: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedOp:
    """The first op that wrote other bits in one run than in the other.

    Attributes:
        number: How many ops of the step ran before it.
        op: Its name.
        module: Dotted path of the module that it ran for; empty outside of all.
        backward: Whether it belongs to the backward pass.
        other_op: What the second run did in its place, where that is another op.
        output: Number of the first output that differs, or None.
        tensor: What that output is, where the step keeps it: a parameter, ``gradient of`` one, a
            buffer or optimizer state.
        size: ``shape``, ``dtype``, ``elements``, how many differ, and the largest difference.
    """

    number: int
    op: str
    module: str
    backward: bool
    other_op: str | None
    output: int | None
    tensor: str | None
    size: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What running the step again showed.

    Attributes:
        step: The step.
        a: Whether the first run repeats here; None where nothing was run.
        b: Whether the second does.
        op: The first op that differs, or None.
        note: Why there is none.
    """

    step: int
    a: ReplayedRun | None = None
    b: ReplayedRun | None = None
    op: ReplayedOp | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectReport:
    """Which differing inputs were exchanged, and which of them are the cause.

    Attributes:
        tried: How often the first run was run again with inputs of the second.
        causes: The inputs that make it the second run; empty where none does.
        not_exchanged: Differences that cannot be exchanged here, such as another processor.
        note: Why nothing was tried, or None.
    """

    tried: int
    causes: list[str]
    not_exchanged: list[str]
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffReport:
    """The answer of ``cxr diff``.

    ``replay`` and ``bisect`` are None unless they were asked for.
    """

    verdict: Verdict
    first_divergence: Divergence | None
    differences: list[Difference]
    metrics: dict[str, dict[str, float | None]]
    predictions: PredictionChange | None
    tolerances: dict[str, float] = field(default_factory=dict)
    replay: ReplayReport | None = None
    bisect: BisectReport | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopDiffReport(DiffReport):
    """The answer of ``cxr diff`` on two trainings that cxr did not run itself.

    Attributes:
        note: What the place where they part says about the reason; None where it says no more.
    """

    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDiffReport(DiffReport):
    """The answer of ``cxr diff`` on two commands, which have no steps.

    Attributes:
        exit_status: Of each command, by ``a`` and ``b``.
        outputs: The declared outputs that differ.
    """

    exit_status: dict[str, int]
    outputs: list[OutputDifference]
