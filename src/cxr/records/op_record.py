"""One op of a step, as a trace has it: what it was, for which module, and what it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpRecord:
    """One op that computed something.

    Attributes:
        op: Its name, such as ``aten.convolution_backward.default``.
        module: Dotted path of the innermost module that it ran for; empty outside of all.
        backward: Whether it belongs to the backward pass.
        outputs: Hex digest of each tensor that it returned or wrote to.
    """

    op: str
    module: str
    backward: bool
    outputs: tuple[str, ...]

    def describe(self) -> str:
        """Return the op, its pass and its module, for a person."""
        return describe_op(self.op, self.module, backward=self.backward)


def describe_op(op: str, module: str, *, backward: bool) -> str:
    """Return an op, its module and its pass, for a person."""
    place = f" of {module}" if module else ""
    return f"{op}{place}{' (backward)' if backward else ''}"


def find_first_difference(a: Sequence[OpRecord], b: Sequence[OpRecord]) -> int | None:
    """Return the number of the first op in which two traces differ, or None."""
    for number, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return number
    return None if len(a) == len(b) else min(len(a), len(b))
