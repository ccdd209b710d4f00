"""Polynomials by Horner's rule: one multiplication and one addition a step, each rounded."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def horner(x: torch.Tensor, coefficients: Sequence[float]) -> torch.Tensor:
    """Return c_0 + x (c_1 + x (c_2 + ...)).

    Args:
        x: float64, of any shape; left as it is.
        coefficients: Two or more, by rising powers.

    Returns:
        float64, a new tensor.
    """
    *lower, last = coefficients
    # Two ops a step and not addcmul, which fuses them on some machines only.
    value = x * last
    for coefficient in reversed(lower[1:]):
        value.add_(coefficient).mul_(x)
    return value.add_(lower[0])
