"""Inputs of portable arithmetic: the same numbers on every machine, from integer steps alone."""

from __future__ import annotations

import math

import torch

from cxr.determinism.threefry import threefry2x32


def draw_float32(shape: tuple[int, ...], stream: int) -> torch.Tensor:
    """Return float32 in [-1, 1) of all the magnitudes that are near, different in each stream."""
    counters = torch.arange(math.prod(shape))
    words, others = threefry2x32((stream, 6), (counters, torch.zeros_like(counters)))
    fractions = (words - 2**31).to(torch.float64) * 2.0**-31
    # One of eight powers of two: rows have large and small elements.
    powers = torch.tensor([2.0**-power for power in range(8)], dtype=torch.float64)
    return (fractions * powers[others % 8]).to(torch.float32).reshape(shape)
