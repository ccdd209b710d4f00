"""What is counted while a run trains: kept in checkpoints, so that it goes on being counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class DoubledSteps:
    """What came of the steps that were run twice.

    Attributes:
        num_doubled: Steps run twice.
        num_mismatched: Those that gave other bits the second time.
        first: Step, part, tensor and op of the first of these, or None.
    """

    num_doubled: int = 0
    num_mismatched: int = 0
    first: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {
            "doubled": self.num_doubled,
            "mismatched": self.num_mismatched,
            "first_mismatch": self.first,
        }


@dataclass(slots=True)
class Tally:
    """Counts over a whole run, however often it was stopped.

    Attributes:
        ops_without_kernel: Calls by op that torch warned about, under ``warn``.
        doubled: The steps that were run twice.
    """

    ops_without_kernel: Counter[str] = field(default_factory=Counter)
    doubled: DoubledSteps = field(default_factory=DoubledSteps)

    def to_json(self) -> dict[str, Any]:
        """Return the counts as the manifest and checkpoints have them."""
        return {
            "ops_without_deterministic_kernel": dict(self.ops_without_kernel),
            "doubled_steps": self.doubled.to_json(),
        }

    def go_on_from(self, kept: Mapping[str, Any]) -> None:
        """Take up the counts of a run that was stopped.

        Raises:
            KeyError: They are not complete.
        """
        doubled = kept["doubled_steps"]
        self.ops_without_kernel.clear()
        self.ops_without_kernel.update(kept["ops_without_deterministic_kernel"])
        self.doubled = DoubledSteps(
            doubled["doubled"], doubled["mismatched"], doubled["first_mismatch"]
        )
