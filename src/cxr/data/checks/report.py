"""The answer of ``cxr data verify``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from cxr.data.checks.kinds import DataProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """What was found.

    Attributes:
        verdict: ``differs`` if any problem is an error.
        samples: How many images were looked at.
        bytes: Their size.
        problems: What is wrong, errors first.
    """

    verdict: Literal["verified", "differs"]
    samples: int
    bytes: int
    problems: list[DataProblem] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Self:
        """Return the report that `to_json` made plain."""
        problems = [
            DataProblem(**{**problem, "paths": tuple(problem["paths"])})
            for problem in answer["problems"]
        ]
        return cls(**{**answer, "problems": problems})
