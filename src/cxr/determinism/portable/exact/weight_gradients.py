"""The gradient of a convolution's weight as an exact product over all output positions.

Image and gradient have an exponent a channel, over all samples that the op sees, which is a logical
shard. The inner length, the output positions in the order of samples, rows and columns, is cut
every ``CHUNK`` positions; the blocks in which windows are unfolded lie inside chunks.

Legend as in ``unfolding``; O output channels.
"""

# ruff: noqa: N803, N806 - suffixes name the axes

from __future__ import annotations

from collections.abc import Iterator

import torch

from cxr.determinism.portable.exact.group_merging import merge_groups, take_groups
from cxr.determinism.portable.exact.planes import Backend
from cxr.determinism.portable.exact.scaling import CHUNK, find_exponents
from cxr.determinism.portable.exact.unfolding import Frame, unfold
from cxr.determinism.portable.exact.window_blocks import (
    choose_backend,
    drop_unread,
    iterate_blocks,
    multiply_groups,
    split_frame,
)
from cxr.determinism.portable.exact.windows import Geometry, Window


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
    # Merged as the weight is; what it holds is overwritten.
    merged, merged_geometry = merge_groups(out, geometry)
    if merged is not out:
        _write_merged(merged, grad, x, merged_geometry)
        take_groups(out, merged, geometry)
    else:
        _write_merged(out, grad, x, geometry)


def _write_merged(
    out: torch.Tensor, grad: torch.Tensor, x: torch.Tensor, geometry: Geometry
) -> None:
    """Write the gradient of the weight of groups that are merged already."""
    num_groups = geometry.num_groups
    x_exponents, grad_exponents = find_exponents(x, (0, 2, 3)), find_exponents(grad, (0, 2, 3))
    x, geometry = drop_unread(x, geometry)
    rows, columns = geometry.forward_windows()
    with choose_backend("weight gradient", geometry, x, grad.shape[1]) as backend:
        frame = split_frame(backend, backend.round(x, x_exponents), [rows], [columns])
        grads_DPGO = _split_gradient(backend, grad, grad_exponents, num_groups)
        product_GOK = _multiply_over_positions(frame, (rows, columns), grads_DPGO)
        product_GOHWI = backend.rescale(
            product_GOK.unflatten(2, (*geometry.kernel, -1)),
            x_exponents.view(num_groups, 1, 1, 1, -1),
            grad_exponents.view(num_groups, -1, 1, 1, 1),
        )
        out.unflatten(0, (num_groups, -1)).copy_(product_GOHWI.permute(0, 1, 4, 2, 3))


def _split_gradient(
    backend: Backend, grad: torch.Tensor, exponents: torch.Tensor, num_groups: int
) -> torch.Tensor:
    """Return the planes of the output's gradient, ``(D, P, G, O / G)``."""
    rounded_PO = backend.round(grad, exponents).permute(0, 2, 3, 1).flatten(0, 2)
    # Side by side in a row, planes are taken as they lie, and turned without a copy.
    planes_DPO = backend.split(rounded_PO.contiguous(), inside=True)
    return planes_DPO.view(*planes_DPO.shape[:2], num_groups, -1)


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
    for piece in iterate_blocks(first_row, last_row, frame, windows):
        windows_DGPK = unfold(frame, rows, columns, piece, num_groups=num_groups)
        following = position + windows_DGPK.shape[2]
        low, high = max(start, position), min(end, following)
        a_DGOP = grads_DPGO[:, low:high].permute(0, 2, 3, 1)
        yield multiply_groups(a_DGOP, windows_DGPK[:, :, low - position : high - position])
        position = following
