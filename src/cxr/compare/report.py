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
        cause: Whether it is why the runs part; None while that has not been tried.
    """

    part: Part
    field: str
    a: Any
    b: Any
    affects_bits: Affects
    cause: bool | None = None


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
class DiffReport:
    """The answer of ``cxr diff``."""

    verdict: Verdict
    first_divergence: Divergence | None
    differences: list[Difference]
    metrics: dict[str, dict[str, float | None]]
    predictions: PredictionChange | None
    tolerances: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self)
