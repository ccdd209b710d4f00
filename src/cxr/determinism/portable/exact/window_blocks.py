"""Blocks of unfolded windows, and what the three products of a convolution do with one alike.

Blocks bound the memory that unfolded windows take; sums within a chunk of the inner length are
exact, so blocks cannot change a bit.

Legend as in ``unfolding``; O output channels.
"""

# ruff: noqa: N803 - suffixes name the axes

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import torch

from cxr.determinism.portable.exact.backend_choice import chosen_backend
from cxr.determinism.portable.exact.planes import FLOAT64, Backend
from cxr.determinism.portable.exact.products import multiply_planes
from cxr.determinism.portable.exact.unfolding import Frame, Piece, frame_image, iterate_pieces
from cxr.determinism.portable.exact.windows import Geometry, Window

BLOCK_BYTES: Final = 2**24
"""Unfolded windows of at most this size are held at once; one output row is the least."""

PRODUCT_BYTES: Final = 2**22
"""Products of at most this size stand between a multiplication and their rounding."""


def choose_backend(
    kind: str, geometry: Geometry, positions: torch.Tensor, num_channels: int
) -> contextlib.AbstractContextManager[Backend]:
    """Return what multiplies; there is no int8 GEMM of a batch, so groups are float64.

    Args:
        kind: Which of the three products it is.
        geometry: The convolution's.
        positions: ``(N, C, H, W)``: one row of the product a place, and the image's channels.
        num_channels: Columns of the product, or rows where positions are its inner length.
    """
    if geometry.num_groups > 1:
        return contextlib.nullcontext(FLOAT64)
    num_samples, window_channels, height, width = positions.shape
    num_taps = geometry.kernel[0] * geometry.kernel[1]
    return chosen_backend(
        kind, num_taps, window_channels, num_samples * height * width, num_channels
    )


def drop_unread(x: torch.Tensor, geometry: Geometry) -> tuple[torch.Tensor, Geometry]:
    """Return an image without the places between the strides of a kernel of one place."""
    if geometry.kernel != (1, 1) or geometry.padding != (0, 0) or geometry.stride == (1, 1):
        return x, geometry
    kept = x[:, :, :: geometry.stride[0], :: geometry.stride[1]]
    image = (kept.shape[2], kept.shape[3])
    return kept, replace(geometry, image=image, stride=(1, 1))


def split_frame(
    backend: Backend, rounded: torch.Tensor, rows: list[Window], columns: list[Window]
) -> Frame:
    """Return the frame of planes, ``(D, N, H, W, C)``, of a rounded image ``(N, C, H, W)``."""
    frame = frame_image(rounded, rows, columns, backend.dtype)
    # Windows of one tap are then views; those of several are copied in longer runs without it.
    are_single = rows[0].num_taps == columns[0].num_taps == 1
    return replace(frame, values=backend.split(frame.values, inside=are_single))


def iterate_blocks(
    first_row: int,
    last_row: int,
    frame: Frame,
    windows: tuple[Window, Window],
    *,
    num_channels: int = 0,
) -> Iterator[Piece]:
    """Cut output rows, counted over all samples, into pieces of a size that caches hold.

    Args:
        first_row: The first one.
        last_row: The one after the last.
        frame: What is unfolded, at most ``BLOCK_BYTES`` a piece.
        windows: Over rows and columns.
        num_channels: Numbers that a position's product has, at most ``PRODUCT_BYTES`` a piece;
            none where a product is no larger for more positions.
    """
    rows, columns = windows
    values = frame.values
    num_elements = columns.num_positions * columns.num_taps * rows.num_taps * values.shape[4]
    row_bytes = num_elements * values.shape[0] * values.element_size()
    num_rows = rows.num_positions
    step = max(1, BLOCK_BYTES // row_bytes)
    if num_channels:
        product_bytes = columns.num_positions * num_channels * torch.float64.itemsize
        step = max(1, min(step, PRODUCT_BYTES // product_bytes))
    if step > num_rows:
        step -= step % num_rows
    for start in range(first_row, last_row, step):
        yield from iterate_pieces(start, min(start + step, last_row), num_rows)


def multiply_groups(a_DGPK: torch.Tensor, b_DGKO: torch.Tensor) -> torch.Tensor:
    """Return the product of each group, float64 ``(G, P, O)``."""
    if a_DGPK.shape[1] == 1:
        return multiply_planes(a_DGPK[:, 0], b_DGKO[:, 0]).unsqueeze(0)
    return multiply_planes(a_DGPK, b_DGKO)
