"""What the portable arithmetic cannot do; whoever runs a step says where it happened."""

from __future__ import annotations

from typing import Final

CHOOSE_ANOTHER: Final = (
    "choose a model without it, or determinism: strict (the bits of this machine)"
)
"""What to do about what has no portable form."""


class NotFiniteError(ArithmeticError):
    """An operand has infinities or NaN, of which no exact product or sum can be taken."""


class UnsupportedError(NotImplementedError):
    """An operation, or a way of calling it, that has no portable form here."""
