"""Floats that are the same on every machine: integer steps and exact scaling alone."""

from __future__ import annotations

import torch


def draw_fixed(*shape, seed=0):
    """Return float32 values of mixed signs, up to 64 and seven magnitudes apart."""
    size = torch.Size(shape)
    number = torch.arange(size.numel(), dtype=torch.int64) + 7919 * seed
    mixed = (number * 2654435761 + 12345) % 2**32
    mixed = (mixed ^ (mixed >> 15)) * 2246822519 % 2**32
    signed = ((mixed >> 8) - 2**23).to(torch.float32)
    powers = torch.tensor([2.0**power for power in range(-23, -16)])
    return (signed * powers[mixed % 7]).reshape(size)
