"""What a comparison of environments finds: plain values, for a table and for JSON alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from cxr.compare.environment_reference import Kind
from cxr.determinism.levels import Level
from cxr.environment.comparison import Affects

Verdict = Literal["verified", "differs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDifference:
    """One fact in which this environment differs from the one asked about.

    Attributes:
        field: ``group.fact``.
        expected: Its value there; None where it has none.
        found: Its value here; ``not_read`` where it could not be read.
        affects_bits: Whether it does, at the report's level.
        do: What to do about it, in one line.
    """

    field: str
    expected: Any
    found: Any
    affects_bits: Affects
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentReport:
    """The answer of ``cxr env verify``.

    Attributes:
        verdict: ``verified`` only if no difference is left that was not to be ignored.
        against: What kind of record was compared with.
        level: The level that ``affects_bits`` is about.
        differences: Those that affect bits first.
        ignored: How many differences were left out because that was asked for.
        unread: Facts and groups that affect bits and that the record does not tell about.
    """

    verdict: Verdict
    against: Kind
    level: Level
    differences: list[EnvironmentDifference]
    ignored: int
    unread: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {**asdict(self), "level": str(self.level)}
