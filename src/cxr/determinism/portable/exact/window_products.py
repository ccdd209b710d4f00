"""A convolution and the gradient of its input as exact products of unfolded windows.

The units that share an exponent never depend on how a batch was put together:

====================  ==================  ==========================
product               image side          weight side
====================  ==================  ==========================
output                image, a sample     weight, an output channel
gradient of the input gradient, a sample  weight, an input channel
gradient of a weight  image, a channel    gradient, an output channel
====================  ==================  ==========================

The last one is that of ``weight_gradients``.

Legend as in ``unfolding``; O output channels, I channels of a group.
"""

# ruff: noqa: N803, N806 - suffixes name the axes

from __future__ import annotations

import torch

from cxr.determinism.portable.exact.group_merging import merge_groups
from cxr.determinism.portable.exact.planes import Backend
from cxr.determinism.portable.exact.scaling import OPERAND_BITS, find_exponents
from cxr.determinism.portable.exact.unfolding import Frame, unfold
from cxr.determinism.portable.exact.window_blocks import (
    choose_backend,
    drop_unread,
    iterate_blocks,
    multiply_groups,
    split_frame,
)
from cxr.determinism.portable.exact.windows import Geometry, ParityClass, Window


def write_output(
    out: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, geometry: Geometry
) -> None:
    """Write the convolution, without a bias, into ``out``.

    Args:
        out: float32 ``(N, O, OH, OW)``, of any layout.
        x: float32 ``(N, C, H, W)``.
        weight: float32 ``(O, C / G, KH, KW)``.
        geometry: How they lie.

    Raises:
        NotFiniteError: An operand has an infinity or a NaN.
    """
    weight, geometry = merge_groups(weight, geometry)
    x_exponents, weight_exponents = find_exponents(x, (1, 2, 3)), find_exponents(weight, (1, 2, 3))
    x, geometry = drop_unread(x, geometry)
    rows, columns = geometry.forward_windows()
    with choose_backend("output", geometry, x, weight.shape[0]) as backend:
        frame = split_frame(backend, backend.round(x, x_exponents), [rows], [columns])
        rounded = backend.round(weight, weight_exponents).unflatten(0, (geometry.num_groups, -1))
        weights_GOHWI = _convert(rounded.permute(0, 1, 3, 4, 2), backend)
        _multiply_windows(
            out.permute(0, 2, 3, 1),
            frame,
            (rows, columns),
            backend.split(weights_GOHWI).flatten(3).transpose(2, 3),
            _add_exponents(x_exponents, weight_exponents),
            backend,
        )


def write_input_gradient(
    out: torch.Tensor, grad: torch.Tensor, weight: torch.Tensor, geometry: Geometry
) -> None:
    """Write the gradient of the convolution's input into ``out``.

    Args:
        out: float32 ``(N, C, H, W)``, of any layout.
        grad: float32 ``(N, O, OH, OW)``, the gradient of the output.
        weight: float32 ``(O, C / G, KH, KW)``.
        geometry: How they lie.

    Raises:
        NotFiniteError: An operand has an infinity or a NaN.
    """
    weight, geometry = merge_groups(weight, geometry)
    classes = list(geometry.gradient_classes())
    grad_exponents = find_exponents(grad, (1, 2, 3))
    # The largest magnitude over all but the last axis is found fastest.
    weight_GOHWI = (
        weight.unflatten(0, (geometry.num_groups, -1)).permute(0, 1, 3, 4, 2).contiguous()
    )
    weight_exponents = find_exponents(weight_GOHWI, (1, 2, 3))
    if not _cover(classes, geometry):
        out.zero_()
    if not classes:
        return
    num_columns = weight_GOHWI.shape[0] * weight_GOHWI.shape[4]
    with choose_backend("input gradient", geometry, grad, num_columns) as backend:
        rounded_GOHWI = backend.round(weight_GOHWI, weight_exponents)
        frame = split_frame(
            backend,
            backend.round(grad, grad_exponents),
            [rows.window for rows, _ in classes],
            [columns.window for _, columns in classes],
        )
        for rows, columns in classes:
            taps_GHWOI = _convert(_take_taps(rounded_GOHWI, rows, columns), backend)
            _multiply_windows(
                out.permute(0, 2, 3, 1)[:, rows.first :: rows.step, columns.first :: columns.step],
                frame,
                (rows.window, columns.window),
                backend.split(taps_GHWOI).flatten(2, 4),
                _add_exponents(grad_exponents, weight_exponents),
                backend,
            )


def _multiply_windows(
    out_NHWO: torch.Tensor,
    frame: Frame,
    windows: tuple[Window, Window],
    weights_DGKO: torch.Tensor,
    exponents_N1O: torch.Tensor,
    backend: Backend,
) -> None:
    """Write the products of windows and weights, scaled and rounded once, block by block."""
    rows, columns = windows
    num_groups = weights_DGKO.shape[1]
    total_rows = out_NHWO.shape[0] * rows.num_positions
    num_channels = out_NHWO.shape[3]
    for piece in iterate_blocks(0, total_rows, frame, windows, num_channels=num_channels):
        a_DGPK = unfold(frame, rows, columns, piece, num_groups=num_groups)
        samples = slice(piece.first_sample, piece.last_sample)
        part_NHWO = out_NHWO[samples, piece.first_row : piece.last_row]
        product_PGO = multiply_groups(a_DGPK, weights_DGKO).transpose(0, 1)
        product_NPO = product_PGO.reshape(part_NHWO.shape[0], -1, part_NHWO.shape[3])
        backend.rescale(product_NPO, exponents_N1O[samples])
        part_NHWO.copy_(product_NPO.view(part_NHWO.shape))


def _take_taps(weight_GOHWI: torch.Tensor, rows: ParityClass, columns: ParityClass) -> torch.Tensor:
    """Return the taps of a class in its order, ``(G, H, W, O, I)``."""
    row_taps, column_taps = torch.tensor(rows.taps), torch.tensor(columns.taps)
    return weight_GOHWI[:, :, row_taps.unsqueeze(1), column_taps].permute(0, 2, 3, 1, 4)


def _convert(rounded: torch.Tensor, backend: Backend) -> torch.Tensor:
    """Return what was rounded as the backend splits it, contiguous, in one pass."""
    return rounded.new_empty(rounded.shape, dtype=backend.dtype).copy_(rounded)


def _add_exponents(samples: torch.Tensor, channels: torch.Tensor) -> torch.Tensor:
    """Return one exponent, ``(N, 1, O)``, for a sample's and a channel's."""
    return samples.reshape(-1, 1, 1) + channels.reshape(1, 1, -1) - OPERAND_BITS


def _cover(classes: list[tuple[ParityClass, ParityClass]], geometry: Geometry) -> bool:
    """Say whether each place of the image belongs to a class."""
    covered = sum(
        rows.window.num_positions * columns.window.num_positions for rows, columns in classes
    )
    return covered == geometry.image[0] * geometry.image[1]
