"""Pillow's antialiased resize in operations that ONNX has, to the bit.

Pillow multiplies bytes by coefficients of 22 bits and rounds to bytes after each of two passes.
Every product and sum of these is a whole number below 2**53, so float64 holds them exactly,
whatever order they are added in. From version 13 on, Pillow makes the vertical pass first where the
height shrinks much more than the width; rounding between the passes lets that be seen.

Shapes: H and W are the picture's own height and width, S the size asked for, C channels.
Source: Pillow's ``src/libImaging/Resample.c``, ``precompute_coeffs``, ``normalize_coeffs_8bpc`` and
``ImagingResampleInner``; the order of passes: its pull request 9549. The condition was found by
trial: Pillow 12.3 and 13.0, of 834 sizes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import nn

_ONE: Final = 2.0**22
"""A coefficient of 1. Source: ``PRECISION_BITS`` of Resample.c."""
_SUPPORT: Final = {"bilinear": 1.0, "bicubic": 2.0}
_WHITE: Final = 255.0


class PillowResize(nn.Module):
    """Resizes one picture as ``Image.resize`` does.

    Args:
        size_px: Height and width of the result.
        resample: ``bilinear`` or ``bicubic``.
        tall_first: Whether Pillow makes the vertical pass first where the height shrinks much more.
    """

    def __init__(self, size_px: int, resample: str, *, tall_first: bool) -> None:
        super().__init__()
        self.size_px = size_px
        self.resample = resample
        self.tall_first = tall_first

    def forward(self, image_HWC: torch.Tensor) -> torch.Tensor:  # noqa: N803 - names the axes
        """Return whole numbers from 0 to 255, shape (S, S, C), dtype float64.

        Args:
            image_HWC: Shape (H, W, C), dtype uint8.
        """
        height, width, _ = image_HWC.shape
        values = image_HWC.to(torch.float64)
        wide, tall = self._weigh(width), self._weigh(height)
        usual = _pass_down(tall, _pass_across(wide, values))
        if not self.tall_first:
            return usual
        other = _pass_across(wide, _pass_down(tall, values))
        # Compared as tensors: a graph for pictures of any size holds both.
        shrink = _as_tensor(height) - self.size_px
        is_tall = (shrink > 0) & (shrink > 2 * (_as_tensor(width) - self.size_px))
        return torch.where(is_tall, other, usual)

    def _weigh(self, length: int) -> torch.Tensor:
        """Return the coefficients of one pass: shape (S, length), whole numbers, dtype float64."""
        scale = _as_tensor(length) / self.size_px
        stretch = torch.clamp(scale, min=1.0)
        support = _SUPPORT[self.resample] * stretch
        centre = ((torch.arange(self.size_px, dtype=torch.float64) + 0.5) * scale)[:, None]
        places = torch.arange(length, dtype=torch.float64)
        first = torch.clamp(torch.floor(centre - support + 0.5), min=0.0)
        end = torch.floor(centre + support + 0.5)
        weights = self._filter((places - centre + 0.5) * (1.0 / stretch))
        weights = torch.where((places >= first) & (places < end), weights, 0.0)
        weights = weights / weights.sum(dim=1, keepdim=True) * _ONE
        return torch.trunc(torch.where(weights < 0, weights - 0.5, weights + 0.5))

    def _filter(self, distance: torch.Tensor) -> torch.Tensor:
        far = torch.abs(distance)
        if self.resample == "bilinear":
            return torch.where(far < 1, 1 - far, 0.0)
        near = (1.5 * far - 2.5) * far * far + 1
        rest = (((far - 5) * far + 8) * far - 4) * -0.5
        return torch.where(far < 1, near, torch.where(far < 2, rest, 0.0))  # noqa: PLR2004


def find_pass_order() -> bool:
    """Return whether this Pillow makes the vertical pass first where the height shrinks much more.

    A picture tells: its two orders give other bytes.
    """
    side, tall = 8, 64
    values = (np.arange(tall * (side + 1), dtype=np.uint32) * 2654435761 >> 13).astype(np.uint8)
    picture = values.reshape(tall, side + 1)
    found = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR))
    usual = PillowResize(side, "bilinear", tall_first=False)(torch.tensor(picture[:, :, None]))
    return not np.array_equal(usual[:, :, 0].numpy(), found)


def _as_tensor(length: int) -> torch.Tensor:
    """Return a length that may be a symbol, so that nothing is decided before it is known."""
    return torch.scalar_tensor(length, dtype=torch.float64)


def _pass_across(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Resize rows: (S, W) and (H, W, C) give (H, S, C)."""
    return _round(torch.matmul(weights, values))


def _pass_down(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Resize columns: (S, H) and (H, W, C) give (S, W, C)."""
    across = torch.matmul(weights, values.permute(1, 0, 2))
    return _round(across.permute(1, 0, 2))


def _round(sums: torch.Tensor) -> torch.Tensor:
    return torch.clamp(torch.floor((sums + _ONE / 2) / _ONE), 0.0, _WHITE)
