"""Small groups of a convolution merged into wider ones, with zeros where channels do not meet.

A product of a group of four channels is too narrow for a GEMM and is copied in short runs. Several
groups are one product of block-diagonal weights: more multiplications, nearly all of them by zero,
in less time. A zero adds nothing to an exact sum and raises no exponent, and a merged inner length
stays within one chunk, where every sum is exact; so no bit depends on it.

Legend: G merged groups, M groups in each, O output and I input channels of a group before merging.
"""

# ruff: noqa: N806 - suffixes name the axes

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import torch

from cxr.determinism.portable.exact.scaling import CHUNK
from cxr.determinism.portable.exact.windows import Geometry

WIDEST: Final = 16
"""Channels of a merged group; the work grows with them, and narrower ones are copied slowly."""


def merge_groups(weight: torch.Tensor, geometry: Geometry) -> tuple[torch.Tensor, Geometry]:
    """Return the weight of merged groups, and how they lie.

    Args:
        weight: float32 ``(G M O, I, KH, KW)``.
        geometry: The convolution's.

    Returns:
        float32 ``(G M O, M I, KH, KW)`` and its geometry; as they were where nothing is merged.
    """
    num_merged = _count_merged(weight.shape, geometry)
    if num_merged == 1:
        return weight, geometry
    _, num_inputs, *kernel = weight.shape
    merged = weight.new_zeros((weight.shape[0], num_merged * num_inputs, *kernel))
    of_groups = weight.unflatten(0, (-1, num_merged, weight.shape[0] // geometry.num_groups))
    _view_diagonal(merged, num_merged, geometry).copy_(of_groups)
    return merged, replace(geometry, num_groups=geometry.num_groups // num_merged)


def take_groups(out: torch.Tensor, merged: torch.Tensor, geometry: Geometry) -> None:
    """Write what belongs to groups in the gradient of a merged weight.

    Args:
        out: float32 ``(G M O, I, KH, KW)``, of any layout.
        merged: float32 ``(G M O, M I, KH, KW)``, contiguous.
        geometry: Before the groups were merged.
    """
    num_merged = merged.shape[1] // out.shape[1]
    of_groups = out.unflatten(0, (-1, num_merged, out.shape[0] // geometry.num_groups))
    of_groups.copy_(_view_diagonal(merged, num_merged, geometry))


def _view_diagonal(merged: torch.Tensor, num_merged: int, geometry: Geometry) -> torch.Tensor:
    """Return where outputs and inputs of one group meet, ``(G, M, O, I, KH, KW)``, as a view."""
    num_outputs, num_channels, *kernel = merged.shape
    blocks_GMOMIHW = merged.view(
        geometry.num_groups // num_merged,
        num_merged,
        num_outputs // geometry.num_groups,
        num_merged,
        num_channels // num_merged,
        *kernel,
    )
    return blocks_GMOMIHW.diagonal(dim1=1, dim2=3).movedim(-1, 1)


def _count_merged(shape: torch.Size, geometry: Geometry) -> int:
    """Return how many groups become one: the most that divide them and stay narrow."""
    num_outputs, num_inputs, *kernel = shape
    num_groups = geometry.num_groups
    widest = max(num_outputs // num_groups, num_inputs)
    most = min(WIDEST, CHUNK // math.prod(kernel)) // widest
    return max((num for num in range(1, most + 1) if num_groups % num == 0), default=1)
