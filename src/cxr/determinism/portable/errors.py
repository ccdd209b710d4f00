"""What the portable arithmetic cannot do; whoever runs a step says where it happened."""

from __future__ import annotations


class NotFiniteError(ArithmeticError):
    """An operand has infinities or NaN, of which no exact product or sum can be taken."""


class UnsupportedError(NotImplementedError):
    """An operation, or a way of calling it, that has no portable form here."""
