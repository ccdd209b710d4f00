"""Floats that are the same on every machine: integer steps and exact scaling alone."""

from __future__ import annotations

import math

import torch

from cxr.determinism.threefry import threefry2x32


def draw_fixed(*shape, seed=0):
    """Return float32 values of mixed signs, up to 64 and seven magnitudes apart."""
    size = torch.Size(shape)
    number = torch.arange(size.numel(), dtype=torch.int64) + 7919 * seed
    mixed = (number * 2654435761 + 12345) % 2**32
    mixed = (mixed ^ (mixed >> 15)) * 2246822519 % 2**32
    signed = ((mixed >> 8) - 2**23).to(torch.float32)
    powers = torch.tensor([2.0**power for power in range(-23, -16)])
    return (signed * powers[mixed % 7]).reshape(size)


def draw_float32(shape: tuple[int, ...], stream: int) -> torch.Tensor:
    """Return float32 in [-1, 1) of all the magnitudes that are near, different in each stream."""
    counters = torch.arange(math.prod(shape))
    words, others = threefry2x32((stream, 6), (counters, torch.zeros_like(counters)))
    fractions = (words - 2**31).to(torch.float64) * 2.0**-31
    # One of eight powers of two: rows have large and small elements.
    powers = torch.tensor([2.0**-power for power in range(8)], dtype=torch.float64)
    return (fractions * powers[others % 8]).to(torch.float32).reshape(shape)
