"""Windows of a convolution laid side by side as the rows of a matrix (im2col).

Legend: D planes, N samples, H and W places of an image, C channels, G groups, P output positions
(samples, rows and columns in one), K inner length (tap rows, tap columns, channels of a group).
"""

# ruff: noqa: N806 - suffixes name the axes

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cxr.determinism.portable.exact.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """An image with the zeros around it that its windows read."""

    values: torch.Tensor
    """``(D, N, H, W, C)``, or ``(N, H, W, C)`` before it is split into planes."""
    rows_before: int
    columns_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Output rows of one sample, or all rows of several."""

    first_sample: int
    last_sample: int
    first_row: int
    last_row: int


def frame_image(
    x: torch.Tensor,
    rows: Sequence[Window],
    columns: Sequence[Window],
    dtype: torch.dtype | None = None,
) -> Frame:
    """Return ``x``, ``(N, C, H, W)`` of any layout, as ``(N, H, W, C)`` with the zeros around it.

    Args:
        x: The image, of any dtype.
        rows: The windows over H that will read it, one at least.
        columns: The windows over W.
        dtype: What it is converted to on the way; by default it stays as it is.

    Returns:
        A contiguous frame: ``x`` itself where it is channels-last and no zeros are read.
    """
    image = x.permute(0, 2, 3, 1)
    num_samples, height, width, num_channels = image.shape
    above, below = _zeros_around(height, rows)
    left, right = _zeros_around(width, columns)
    if not any((above, below, left, right)):
        return Frame(
            values=image.to(dtype or x.dtype).contiguous(), rows_before=0, columns_before=0
        )
    shape = (num_samples, above + height + below, left + width + right, num_channels)
    values = x.new_empty(shape, dtype=dtype)
    values[:, :above].zero_()
    values[:, above + height :].zero_()
    values[:, above : above + height, :left].zero_()
    values[:, above : above + height, left + width :].zero_()
    values[:, above : above + height, left : left + width].copy_(image)
    return Frame(values=values, rows_before=above, columns_before=left)


def iterate_pieces(first_row: int, last_row: int, num_rows: int) -> Iterator[Piece]:
    """Cut rows ``[first_row, last_row)``, counted over all samples, into pieces, in order.

    Args:
        first_row: The first one; sample ``n`` has rows ``n * num_rows`` and on.
        last_row: The one after the last.
        num_rows: Rows a sample.
    """
    while first_row < last_row:
        sample, row = divmod(first_row, num_rows)
        num_whole = (last_row - first_row) // num_rows
        if row == 0 and num_whole > 0:
            piece = Piece(
                first_sample=sample, last_sample=sample + num_whole, first_row=0, last_row=num_rows
            )
        else:
            end = min(num_rows, row + last_row - first_row)
            piece = Piece(first_sample=sample, last_sample=sample + 1, first_row=row, last_row=end)
        yield piece
        first_row += (piece.last_sample - sample) * (piece.last_row - piece.first_row)


def view_windows(
    frame: Frame, rows: Window, columns: Window, piece: Piece, *, num_groups: int
) -> torch.Tensor:
    """Return the windows of a piece as a view: ``(D, G, N, rows, columns, taps, taps, C / G)``."""
    values = frame.values
    plane_step, sample_step, row_step, column_step, channel_step = values.stride()
    group_size = values.shape[4] // num_groups
    shape = (
        values.shape[0],
        num_groups,
        piece.last_sample - piece.first_sample,
        piece.last_row - piece.first_row,
        columns.num_positions,
        rows.num_taps,
        columns.num_taps,
        group_size,
    )
    steps = (
        plane_step,
        group_size * channel_step,
        sample_step,
        rows.stride * row_step,
        columns.stride * column_step,
        rows.spacing * row_step,
        columns.spacing * column_step,
        channel_step,
    )
    row = frame.rows_before + rows.start + rows.stride * piece.first_row
    column = frame.columns_before + columns.start
    place = piece.first_sample * sample_step + row * row_step + column * column_step
    return values.as_strided(shape, steps, values.storage_offset() + place)


def unfold(
    frame: Frame, rows: Window, columns: Window, piece: Piece, *, num_groups: int
) -> torch.Tensor:
    """Return the windows of a piece as planes of matrices, ``(D, G, P, K)``.

    K runs over tap rows, tap columns and the channels of a group. A copy, unless the windows lie
    side by side in memory already, as those of one tap do.
    """
    windows = view_windows(frame, rows, columns, piece, num_groups=num_groups)
    num_planes, _, *places = windows.shape[:5]
    # Planes of digits stand side by side within a row, as their products take them.
    rows_GPDK = windows.permute(1, 2, 3, 4, 0, 5, 6, 7).reshape(
        num_groups, math.prod(places), num_planes, math.prod(windows.shape[5:])
    )
    return rows_GPDK.permute(2, 0, 1, 3)


def _zeros_around(length: int, windows: Sequence[Window]) -> tuple[int, int]:
    """Return how many zeros are read before and after an axis of ``length`` places."""
    before = max(0, *(-window.start for window in windows))
    after = max(0, *(window.last - (length - 1) for window in windows))
    return before, after
