"""Convolutions whose groups hold a channel or two: multiplications and additions in a fixed order.

A matrix product of one column has nothing to gain from exactness, and a fixed graph needs none.
Each output element adds its terms in float32 in the order of the group's channels, the kernel's
rows and the kernel's columns, zeros around the image included; a weight's gradient adds the terms
of all samples, of a row's positions and of the rows, in this order, each by a pairwise tree.
Products and sums are separate operations, for a fused one rounds once where two round twice.

Error, with ``u = 2^-24`` and n terms: at most ``n u sum |x w|`` for outputs and input gradients, to
first order, and ``(1 + levels) u sum |x w|`` for weight gradients, where the levels of the three
trees are at most ``log2 n + 3``. Source: Higham, "Accuracy and stability of numerical algorithms",
2nd ed., sections 3.1 and 4.2.

Blocks of output rows keep the accumulator in a cache and never change a bit.

Legend as in ``unfolding``; R rows of a block, I terms' channels of a group.
"""

# ruff: noqa: N803, N806 - suffixes name the axes

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import torch

from cxr.determinism.portable.errors import NotFiniteError
from cxr.determinism.portable.exact.unfolding import (
    Frame,
    Piece,
    frame_image,
    iterate_pieces,
    view_windows,
)
from cxr.determinism.portable.exact.windows import Geometry, Window
from cxr.determinism.portable.trees.sums import sum_tree

BLOCK_ELEMENTS: Final = 2**20
"""Elements of an accumulator: 4 MiB, and as much for a term.

A piece takes a hundred short steps: few large ones beat many that would fit a core's own cache."""


def write_output(
    out: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, geometry: Geometry
) -> None:
    """Write the convolution, without a bias, into ``out``; as in ``window_products``.

    Raises:
        NotFiniteError: The result has an infinity or a NaN, for an operand has or it overflows.
    """
    windows = geometry.forward_windows()
    frame = frame_image(x, [windows[0]], [windows[1]])
    weight_GOIHW = weight.unflatten(0, (geometry.num_groups, -1))
    for channel, out_NHWG in enumerate(_group_channels(out.permute(0, 2, 3, 1), geometry)):
        weight_IHWG = weight_GOIHW[:, channel].permute(1, 2, 3, 0)
        _correlate(out_NHWG, frame, windows, weight_IHWG)


def write_input_gradient(
    out: torch.Tensor, grad: torch.Tensor, weight: torch.Tensor, geometry: Geometry
) -> None:
    """Write the gradient of the convolution's input into ``out``; as in ``window_products``.

    Raises:
        NotFiniteError: The result has an infinity or a NaN, for an operand has or it overflows.
    """
    classes = list(geometry.gradient_classes())
    out.zero_()
    if not classes:
        return
    frame = frame_image(
        grad,
        [rows.window for rows, _ in classes],
        [columns.window for _, columns in classes],
    )
    weight_GOIHW = weight.unflatten(0, (geometry.num_groups, -1))
    for rows, columns in classes:
        taps_GOIHW = weight_GOIHW[..., list(rows.taps), :][..., list(columns.taps)]
        places = out.permute(0, 2, 3, 1)[:, rows.first :: rows.step, columns.first :: columns.step]
        for channel, places_NHWG in enumerate(_group_channels(places, geometry)):
            weight_OHWG = taps_GOIHW[:, :, channel].permute(1, 2, 3, 0)
            _correlate(places_NHWG, frame, (rows.window, columns.window), weight_OHWG)


def write_weight_gradient(
    out: torch.Tensor, grad: torch.Tensor, x: torch.Tensor, geometry: Geometry
) -> None:
    """Write the gradient of the convolution's weight into ``out``; as in ``window_products``.

    Raises:
        NotFiniteError: The result has an infinity or a NaN, for an operand has or it overflows.
    """
    rows, columns = geometry.forward_windows()
    frame = frame_image(x, [rows], [columns])
    out_GOIHW = out.unflatten(0, (geometry.num_groups, -1))
    grads = _group_channels(grad.permute(0, 2, 3, 1), geometry)
    whole = Piece(first_sample=0, last_sample=len(x), first_row=0, last_row=rows.num_positions)
    planes = replace(frame, values=frame.values.unsqueeze(0))
    windows_NHWYXC = view_windows(planes, rows, columns, whole, num_groups=1)[0, 0]
    images = _group_channels(windows_NHWYXC, geometry)
    for grad_channel, grad_NHWG in enumerate(grads):
        # A copy, unless it lies in this order already.
        contiguous_grad = grad_NHWG.contiguous()
        for image_channel, windows_NHWYXG in enumerate(images):
            sums_YXG = _sum_products(contiguous_grad, windows_NHWYXG)
            _refuse_not_finite(sums_YXG)
            out_GOIHW[:, grad_channel, image_channel].copy_(sums_YXG.permute(2, 0, 1))


def _correlate(
    out_NHWG: torch.Tensor,
    frame: Frame,
    windows: tuple[Window, Window],
    weight_IHWG: torch.Tensor,
) -> None:
    """Write the sums of windows times weights, over taps and a group's channels."""
    rows, columns = windows
    num_channels = weight_IHWG.shape[0]
    # Weights repeated along a row: image, weight and term are then one run of numbers each.
    tiles_IHW1WG = (
        weight_IHWG.unsqueeze(3)
        .expand(-1, -1, -1, columns.num_positions, -1)
        .contiguous()
        .unsqueeze(3)
    )
    for piece in _iterate_blocks(out_NHWG, rows.num_positions):
        part_NRWG = out_NHWG[
            piece.first_sample : piece.last_sample, piece.first_row : piece.last_row
        ]
        total = torch.zeros(part_NRWG.shape)
        term = torch.empty(part_NRWG.shape)
        for channel in range(num_channels):
            image = frame.values[..., channel::num_channels]
            for row_tap, column_tap in _taps(rows, columns):
                image_NRWG = _shifted(image, frame, windows, piece, row_tap, column_tap)
                torch.mul(image_NRWG, tiles_IHW1WG[channel, row_tap, column_tap], out=term)
                total.add_(term)
        _refuse_not_finite(total)
        part_NRWG.copy_(total)


def _sum_products(grad_NHWG: torch.Tensor, windows_NHWYXG: torch.Tensor) -> torch.Tensor:
    """Return the sums over positions of gradient times windows, ``(Y, X, G)``, by fixed trees."""
    num_samples, num_rows, num_columns, num_row_taps, num_column_taps, num_groups = (
        windows_NHWYXG.shape
    )
    sums_YHXG = grad_NHWG.new_empty((num_row_taps, num_rows, num_column_taps, num_groups))
    # Several taps of a row at once: halvings are short steps, and so there are fewer of them.
    tap_elements = max(1, num_samples * num_columns * num_groups)
    num_taps = max(1, min(num_column_taps, BLOCK_ELEMENTS // tap_elements))
    step = max(1, BLOCK_ELEMENTS // (tap_elements * num_taps))
    for row_tap in range(num_row_taps):
        windows_NHXWG = windows_NHWYXG[:, :, :, row_tap].transpose(2, 3)
        for first, tap in itertools.product(
            range(0, num_rows, step), range(0, num_column_taps, num_taps)
        ):
            rows, taps = slice(first, first + step), slice(tap, tap + num_taps)
            terms_NHXWG = windows_NHXWG[:, rows, taps] * grad_NHWG[:, rows].unsqueeze(2)
            sums_YHXG[row_tap, rows, taps] = sum_tree(terms_NHXWG, (0, 3))
    return sum_tree(sums_YHXG, (1,))


def _shifted(
    image_NHWG: torch.Tensor,
    frame: Frame,
    windows: tuple[Window, Window],
    piece: Piece,
    row_tap: int,
    column_tap: int,
) -> torch.Tensor:
    """Return the places that a piece's positions read through one tap, as a view."""
    rows, columns = windows
    row = frame.rows_before + rows.start + rows.spacing * row_tap + rows.stride * piece.first_row
    column = frame.columns_before + columns.start + columns.spacing * column_tap
    num_rows = piece.last_row - piece.first_row
    return image_NHWG[
        piece.first_sample : piece.last_sample,
        row : row + rows.stride * (num_rows - 1) + 1 : rows.stride,
        column : column + columns.stride * (columns.num_positions - 1) + 1 : columns.stride,
    ]


def _group_channels(values: torch.Tensor, geometry: Geometry) -> Sequence[torch.Tensor]:
    """Return views of each group's first channel, of each one's second, and so on."""
    group_size = values.shape[-1] // geometry.num_groups
    return [values[..., channel::group_size] for channel in range(group_size)]


def _taps(rows: Window, columns: Window) -> Iterator[tuple[int, int]]:
    """Yield the kernel's taps in the order in which they are added."""
    for row_tap in range(rows.num_taps):
        for column_tap in range(columns.num_taps):
            yield row_tap, column_tap


def _iterate_blocks(values_NHWG: torch.Tensor, num_rows: int) -> Iterator[Piece]:
    """Cut an output into pieces of about ``BLOCK_ELEMENTS``."""
    num_samples = values_NHWG.shape[0]
    step = max(1, BLOCK_ELEMENTS // (values_NHWG.shape[2] * values_NHWG.shape[3]))
    if step > num_rows:
        step -= step % num_rows
    for first in range(0, num_samples * num_rows, step):
        last = min(first + step, num_samples * num_rows)
        yield from iterate_pieces(first, last, num_rows)


def _refuse_not_finite(values: torch.Tensor) -> None:
    """Raise NotFiniteError where a sum is infinite or NaN."""
    if not bool(torch.isfinite(values).all()):
        raise NotFiniteError("a sum of a depthwise convolution is infinite or NaN")
