"""A convolution and its gradients as products of unfolded windows whose operands have two slices.

Operands have 40 bits instead of 20. Each window has an exponent of its own, and each output channel
of the weight (for the input's gradient: each input channel), so what is lost is below ``2^-40`` of
the largest of a window, and nothing depends on how a batch was put together.

The gradient of a weight adds the products of blocks of output rows in float64, in their order. A
block has rows of one sample, as many as the shape alone says; with B blocks its sums add an error
of at most ``B 2^-53`` and its roundings ``2^-24`` of the sum of the blocks' magnitudes.

Legend as in ``unfolding``; O output channels.
"""

# ruff: noqa: N803, N806 - suffixes name the axes

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch

from cxr.determinism.portable.exact.products import batched_matmul
from cxr.determinism.portable.exact.unfolding import Frame, Piece, frame_image, unfold
from cxr.determinism.portable.exact.windows import Geometry, Window

_SLICES: Final = 2

_BLOCK_ELEMENTS: Final = 2**20
"""Elements of the windows that are held at once; changes no bit of an output."""

_BLOCK_POSITIONS: Final = 2**14
"""Positions of a block of a weight's gradient, unless one row has more; changes its bits."""


def write_output(
    out: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, geometry: Geometry
) -> None:
    """Write the convolution, without a bias, into ``out``; as `window_products.write_output`."""
    rows, columns = geometry.forward_windows()
    weights_GOIHW = weight.unflatten(0, (geometry.num_groups, -1))
    weights_GKO = weights_GOIHW.permute(0, 3, 4, 2, 1).flatten(1, 3)
    frame = frame_image(x, [rows], [columns])
    _multiply_windows(out.permute(0, 2, 3, 1), frame, (rows, columns), weights_GKO)


def write_input_gradient(
    out: torch.Tensor, grad: torch.Tensor, weight: torch.Tensor, geometry: Geometry
) -> None:
    """Write the gradient of the convolution's input into ``out``."""
    out.zero_()
    classes = list(geometry.gradient_classes())
    if not classes:
        return
    weights_GHWOI = weight.unflatten(0, (geometry.num_groups, -1)).permute(0, 3, 4, 1, 2)
    frame = frame_image(
        grad, [rows.window for rows, _ in classes], [columns.window for _, columns in classes]
    )
    for rows, columns in classes:
        row_taps, column_taps = torch.tensor(rows.taps), torch.tensor(columns.taps)
        taps_GHWOI = weights_GHWOI[:, row_taps.unsqueeze(1), column_taps]
        _multiply_windows(
            out.permute(0, 2, 3, 1)[:, rows.first :: rows.step, columns.first :: columns.step],
            frame,
            (rows.window, columns.window),
            taps_GHWOI.flatten(1, 3),
        )


def write_weight_gradient(
    out: torch.Tensor, grad: torch.Tensor, x: torch.Tensor, geometry: Geometry
) -> None:
    """Write the gradient of the convolution's weight into ``out``."""
    num_groups = geometry.num_groups
    rows, columns = geometry.forward_windows()
    frame = frame_image(x, [rows], [columns])
    grad_NHWO = grad.permute(0, 2, 3, 1)
    total_GOK = torch.zeros((), dtype=torch.float64)
    step = max(1, _BLOCK_POSITIONS // columns.num_positions)
    for piece in _iterate_blocks(len(x), rows.num_positions, step):
        windows_GPK = _unfold(frame, (rows, columns), piece, num_groups)
        block_NHWO = grad_NHWO[piece.first_sample, piece.first_row : piece.last_row]
        grads_GOP = block_NHWO.reshape(windows_GPK.shape[1], num_groups, -1).permute(1, 2, 0)
        total_GOK = total_GOK + batched_matmul(grads_GOP, windows_GPK, slices=_SLICES)
    gradient_GOHWI = total_GOK.to(torch.float32).unflatten(2, (*geometry.kernel, -1))
    out.unflatten(0, (num_groups, -1)).copy_(gradient_GOHWI.permute(0, 1, 4, 2, 3))


def _multiply_windows(
    out_NHWO: torch.Tensor,
    frame: Frame,
    windows: tuple[Window, Window],
    weights_GKO: torch.Tensor,
) -> None:
    """Write the products of windows and weights, block by block."""
    rows, columns = windows
    num_groups, inner, _ = weights_GKO.shape
    step = max(1, _BLOCK_ELEMENTS // (columns.num_positions * inner * num_groups))
    for piece in _iterate_blocks(len(out_NHWO), rows.num_positions, step):
        windows_GPK = _unfold(frame, windows, piece, num_groups)
        product_PGO = batched_matmul(windows_GPK, weights_GKO, slices=_SLICES).transpose(0, 1)
        part_HWO = out_NHWO[piece.first_sample, piece.first_row : piece.last_row]
        part_HWO.copy_(product_PGO.reshape(part_HWO.shape))


def _unfold(
    frame: Frame, windows: tuple[Window, Window], piece: Piece, num_groups: int
) -> torch.Tensor:
    """Return the windows of a piece, float32 ``(G, P, K)``."""
    plane = Frame(
        values=frame.values.unsqueeze(0),
        rows_before=frame.rows_before,
        columns_before=frame.columns_before,
    )
    return unfold(plane, *windows, piece, num_groups=num_groups)[0]


def _iterate_blocks(num_samples: int, num_rows: int, step: int) -> Iterator[Piece]:
    """Cut the output rows of each sample into pieces of ``step`` rows, in order."""
    for sample in range(num_samples):
        for row in range(0, num_rows, step):
            yield Piece(
                first_sample=sample,
                last_sample=sample + 1,
                first_row=row,
                last_row=min(row + step, num_rows),
            )
