"""A convolution and its gradients as exact products of unfolded windows.

The units that share an exponent never depend on how a batch was put together:

====================  ==================  ==========================
product               image side          weight side
====================  ==================  ==========================
output                image, a sample     weight, an output channel
gradient of the input gradient, a sample  weight, an input channel
gradient of a weight  image, a channel    gradient, an output channel
====================  ==================  ==========================

The last one sums over all samples that the op sees, which is a logical shard; its inner length, the
output positions in the order of samples, rows and columns, is cut every ``CHUNK`` positions. The
blocks in which windows are unfolded bound the memory and lie inside chunks: sums within a chunk are
exact, so blocks cannot change a bit.

Legend as in ``unfolding``; O output channels.
"""

# ruff: noqa: N803, N806 - suffixes name the axes

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import torch

from cxr.determinism.portable.exact.planes import FLOAT64, Backend, current_backend
from cxr.determinism.portable.exact.products import multiply_planes
from cxr.determinism.portable.exact.scaling import (
    CHUNK,
    OPERAND_BITS,
    find_exponents,
    power_of_two,
    quantise,
)
from cxr.determinism.portable.exact.unfolding import (
    Frame,
    Piece,
    frame_image,
    iterate_pieces,
    unfold,
)
from cxr.determinism.portable.exact.windows import Geometry, ParityClass, Window

BLOCK_BYTES: Final = 2**24
"""Unfolded windows of at most this size are held at once; one output row is the least."""

_SHORT_RUN: Final = 48
"""Neighbouring digits of a window in one copy: with fewer, int8 planes take longer than float64."""

_FEW_ROWS: Final = 128
_FEW_TERMS: Final = 2048
"""Positions from which digits gain: as rows of a product, and as the terms of its sums."""


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
    sample_exponents = find_exponents(x, (1, 2, 3))
    channel_exponents = find_exponents(weight, (1, 2, 3))
    x, geometry = _drop_unread(x, geometry)
    rows, columns = geometry.forward_windows()
    split = _choose_backend(geometry, x, fewest=_FEW_ROWS).split
    frame = frame_image(quantise(x, sample_exponents), [rows], [columns])
    weights_GOIHW = quantise(weight, channel_exponents).unflatten(0, (geometry.num_groups, -1))
    weights_DGOHWI = split(weights_GOIHW.permute(0, 1, 3, 4, 2).contiguous())
    _multiply_windows(
        out.permute(0, 2, 3, 1),
        _split_frame(frame, split),
        (rows, columns),
        weights_DGOHWI.flatten(3).transpose(2, 3),
        _scales(sample_exponents) * _scales(channel_exponents).view(1, 1, -1),
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
    classes = list(geometry.gradient_classes())
    sample_exponents = find_exponents(grad, (1, 2, 3))
    # The largest magnitude over all but the last axis is found fastest.
    weight_GOHWI = (
        weight.unflatten(0, (geometry.num_groups, -1)).permute(0, 1, 3, 4, 2).contiguous()
    )
    channel_exponents = find_exponents(weight_GOHWI, (1, 2, 3))
    integers_GOHWI = quantise(weight_GOHWI, channel_exponents)
    split = _choose_backend(geometry, grad, fewest=_FEW_ROWS).split
    weights_DGHWOI = split(integers_GOHWI.permute(0, 2, 3, 1, 4).contiguous())
    scales = _scales(sample_exponents) * _scales(channel_exponents).view(1, 1, -1)
    if not _cover(classes, geometry):
        out.zero_()
    if not classes:
        return
    frame = _split_frame(
        frame_image(
            quantise(grad, sample_exponents),
            [rows.window for rows, _ in classes],
            [columns.window for _, columns in classes],
        ),
        split,
    )
    for rows, columns in classes:
        row_taps, column_taps = torch.tensor(rows.taps), torch.tensor(columns.taps)
        taps_DGHWOI = weights_DGHWOI[:, :, row_taps.unsqueeze(1), column_taps]
        _multiply_windows(
            out.permute(0, 2, 3, 1)[:, rows.first :: rows.step, columns.first :: columns.step],
            frame,
            (rows.window, columns.window),
            taps_DGHWOI.flatten(2, 4),
            scales,
        )


def write_weight_gradient(
    out: torch.Tensor, grad: torch.Tensor, x: torch.Tensor, geometry: Geometry
) -> None:
    """Write the gradient of the convolution's weight into ``out``.

    Args:
        out: float32 ``(O, C / G, KH, KW)``, of any layout.
        grad: float32 ``(N, O, OH, OW)``, the gradient of the output.
        x: float32 ``(N, C, H, W)``.
        geometry: How they lie.

    Raises:
        NotFiniteError: An operand has an infinity or a NaN.
    """
    num_groups = geometry.num_groups
    exponents_C = find_exponents(x, (0, 2, 3))
    exponents_O = find_exponents(grad, (0, 2, 3))
    x, geometry = _drop_unread(x, geometry)
    rows, columns = geometry.forward_windows()
    split = _choose_backend(geometry, x, fewest=_FEW_TERMS).split
    frame = _split_frame(frame_image(quantise(x, exponents_C), [rows], [columns]), split)
    integers_PO = quantise(grad, exponents_O).permute(0, 2, 3, 1).flatten(0, 2)
    grads_DPGO = split(integers_PO.contiguous()).unflatten(2, (num_groups, -1))
    product_GOK = _multiply_over_positions(frame, (rows, columns), grads_DPGO)
    product_GOHWI = product_GOK.unflatten(2, (*geometry.kernel, -1))
    product_GOHWI *= _scales(exponents_C).view(num_groups, 1, 1, 1, -1)
    product_GOHWI *= _scales(exponents_O).view(num_groups, -1, 1, 1, 1)
    out.unflatten(0, (num_groups, -1)).copy_(product_GOHWI.permute(0, 1, 4, 2, 3))


def _multiply_windows(
    out_NHWO: torch.Tensor,
    frame: Frame,
    windows: tuple[Window, Window],
    weights_DGKO: torch.Tensor,
    scales_N1O: torch.Tensor,
) -> None:
    """Write the products of windows and weights, scaled and rounded once, block by block."""
    rows, columns = windows
    num_groups = weights_DGKO.shape[1]
    row_bytes = _row_bytes(frame, rows, columns)
    total_rows = out_NHWO.shape[0] * rows.num_positions
    for piece in _iterate_blocks(0, total_rows, rows.num_positions, row_bytes):
        a_DGPK = unfold(frame, rows, columns, piece, num_groups=num_groups)
        samples = slice(piece.first_sample, piece.last_sample)
        part_NHWO = out_NHWO[samples, piece.first_row : piece.last_row]
        product_PGO = _multiply_groups(a_DGPK, weights_DGKO).transpose(0, 1)
        product_NPO = product_PGO.reshape(part_NHWO.shape[0], -1, part_NHWO.shape[3])
        product_NPO *= scales_N1O[samples]
        part_NHWO.copy_(product_NPO.view(part_NHWO.shape))


def _multiply_groups(a_DGPK: torch.Tensor, b_DGKO: torch.Tensor) -> torch.Tensor:
    """Return the product of each group, float64 ``(G, P, O)``."""
    if a_DGPK.shape[1] == 1:
        return multiply_planes(a_DGPK[:, 0], b_DGKO[:, 0]).unsqueeze(0)
    return multiply_planes(a_DGPK, b_DGKO)


def _multiply_over_positions(
    frame: Frame, windows: tuple[Window, Window], grads_DPGO: torch.Tensor
) -> torch.Tensor:
    """Return the sum over positions of gradients times windows, float64 ``(G, O / G, K)``."""
    num_positions = grads_DPGO.shape[1]
    total = _multiply_chunk(frame, windows, grads_DPGO, (0, min(CHUNK, num_positions)))
    for start in range(CHUNK, num_positions, CHUNK):
        end = min(start + CHUNK, num_positions)
        total.add_(_multiply_chunk(frame, windows, grads_DPGO, (start, end)))
    return total


def _multiply_chunk(
    frame: Frame,
    windows: tuple[Window, Window],
    grads_DPGO: torch.Tensor,
    chunk: tuple[int, int],
) -> torch.Tensor:
    """Return the sum over the positions of one chunk: exact, so its blocks may be added anyhow."""
    products = _iterate_block_products(frame, windows, grads_DPGO, chunk)
    total = next(products)
    for product in products:
        total.add_(product)
    return total


def _iterate_block_products(
    frame: Frame,
    windows: tuple[Window, Window],
    grads_DPGO: torch.Tensor,
    chunk: tuple[int, int],
) -> Iterator[torch.Tensor]:
    """Yield the products of the blocks of a chunk of positions."""
    rows, columns = windows
    num_groups = grads_DPGO.shape[2]
    row_length = columns.num_positions
    start, end = chunk
    # Rows that begin or end in another chunk are unfolded whole and cut.
    first_row, last_row = start // row_length, -(-end // row_length)
    position = first_row * row_length
    row_bytes = _row_bytes(frame, rows, columns)
    for piece in _iterate_blocks(first_row, last_row, rows.num_positions, row_bytes):
        windows_DGPK = unfold(frame, rows, columns, piece, num_groups=num_groups)
        following = position + windows_DGPK.shape[2]
        low, high = max(start, position), min(end, following)
        a_DGOP = grads_DPGO[:, low:high].permute(0, 2, 3, 1)
        yield _multiply_groups(a_DGOP, windows_DGPK[:, :, low - position : high - position])
        position = following


def _iterate_blocks(
    first_row: int, last_row: int, num_rows: int, row_bytes: int
) -> Iterator[Piece]:
    """Cut rows, counted over all samples, into pieces of at most ``BLOCK_BYTES``."""
    step = max(1, BLOCK_BYTES // row_bytes)
    if step > num_rows:
        step -= step % num_rows
    for start in range(first_row, last_row, step):
        yield from iterate_pieces(start, min(start + step, last_row), num_rows)


def _row_bytes(frame: Frame, rows: Window, columns: Window) -> int:
    """Return the size of one output row's windows, all planes together."""
    values = frame.values
    num_elements = columns.num_positions * columns.num_taps * rows.num_taps * values.shape[4]
    return num_elements * values.shape[0] * values.element_size()


def _drop_unread(x: torch.Tensor, geometry: Geometry) -> tuple[torch.Tensor, Geometry]:
    """Return an image without the places between the strides of a kernel of one place."""
    if geometry.kernel != (1, 1) or geometry.padding != (0, 0) or geometry.stride == (1, 1):
        return x, geometry
    kept = x[:, :, :: geometry.stride[0], :: geometry.stride[1]]
    image = (kept.shape[2], kept.shape[3])
    return kept, replace(geometry, image=image, stride=(1, 1))


def _choose_backend(geometry: Geometry, positions: torch.Tensor, *, fewest: int) -> Backend:
    """Return what multiplies fastest; float64 where digits would be copied in short runs.

    Args:
        geometry: The convolution's.
        positions: ``(N, C, H, W)``: one row of the product a place, and the image's channels.
        fewest: With fewer rows, digits cost more to make than they save.
    """
    num_samples, num_channels, height, width = positions.shape
    is_short = geometry.kernel[1] * num_channels < _SHORT_RUN
    are_few = num_samples * height * width < fewest
    if is_short or are_few or geometry.num_groups > 1:
        return FLOAT64
    return current_backend()


def _split_frame(frame: Frame, split: Callable[[torch.Tensor], torch.Tensor]) -> Frame:
    """Return the frame of planes of a frame of integers."""
    return Frame(
        values=split(frame.values),
        rows_before=frame.rows_before,
        columns_before=frame.columns_before,
    )


def _scales(exponents: torch.Tensor) -> torch.Tensor:
    """Return what an operand's integers are multiplied by, float64 of shape ``(N, 1, 1)``."""
    return power_of_two(exponents - OPERAND_BITS).reshape(-1, 1, 1)


def _cover(classes: list[tuple[ParityClass, ParityClass]], geometry: Geometry) -> bool:
    """Say whether each place of the image belongs to a class."""
    covered = sum(
        rows.window.num_positions * columns.window.num_positions for rows, columns in classes
    )
    return covered == geometry.image[0] * geometry.image[1]
