"""Adding rows to places that may occur several times: in the order of the rows, whoever computes.

Torch adds rows that meet in one place in the order in which its threads come to them. Here the
first row of every place is added, then the second of every place, and so on: within such a round
no place occurs twice, so nothing depends on an order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.overlaps import share_memory

Tensor = torch.Tensor


def iterate_rounds(places: Tensor) -> Iterator[Tensor]:
    """Yield the numbers of the rows of each round.

    Args:
        places: Shape (rows,), int64.
    """
    if not len(places):
        return
    order = torch.argsort(places, stable=True)
    ordered = places[order]
    counts = torch.bincount(ordered)
    starts = torch.cumsum(counts, 0) - counts
    ranks = torch.arange(len(places), device=places.device) - starts[ordered]
    for rank in range(int(counts.max())):
        yield order[ranks == rank]


def add_rows(target: Tensor, places: Tensor, rows: Tensor) -> Tensor:
    """Add ``rows`` to the places of ``target`` that each belongs to, in place.

    Args:
        target: Shape (places, ...).
        places: Shape (rows,), int64, none negative.
        rows: Shape (rows, ...), of the dtype of ``target``.
    """
    if share_memory(target, rows):
        # Later rounds would read what earlier ones wrote.
        rows = rows.clone()
    for numbers in iterate_rounds(places):
        here = places[numbers]
        target[here] = target[here] + rows[numbers]
    return target


def index_put(
    self: Tensor,
    indices: Sequence[Tensor | None],
    values: Tensor,
    accumulate: bool = False,
) -> Tensor:
    """Return a copy with ``values`` put, or added, where ``indices`` point to."""
    return index_put_(
        self.clone(memory_format=torch.contiguous_format), indices, values, accumulate
    )


def index_put_(
    self: Tensor,
    indices: Sequence[Tensor | None],
    values: Tensor,
    accumulate: bool = False,
) -> Tensor:
    """Put or add in place; for each place only rows that are added may be several.

    Raises:
        UnsupportedError: Several values are put into one place, or an index does not fit.
    """
    if not accumulate and (values.numel() == 1 or _is_one_mask(indices)):
        # A mask by itself names each place once; one value is the same, whoever comes last.
        put: Tensor = torch.ops.aten.index_put_.default(self, list(indices), values)
        return put
    indices = _name_places(indices, self.shape)
    axes = [axis for axis, one in enumerate(indices) if one is not None]
    given = torch.broadcast_tensors(*(one for one in indices if one is not None))
    shape, first = given[0].shape, tuple(range(len(axes)))
    # Places first, then the axes that are taken whole.
    moved = self.movedim(axes, first)
    rest = moved.shape[len(axes) :]
    places = torch.zeros(shape, dtype=torch.int64, device=self.device)
    for size, one in zip(moved.shape, given, strict=False):
        if bool(((one < -size) | (one >= size)).any()):
            raise UnsupportedError("an index outside its axis")
        places = places * size + torch.where(one < 0, one + size, one)
    rows = _bring_rows(values, axes, shape, rest).reshape(-1, *rest)
    places = places.reshape(-1)
    flat = moved.reshape(-1, *rest)
    if accumulate:
        add_rows(flat, places, rows)
    else:
        if len(torch.unique(places)) != len(places):
            raise UnsupportedError("several values put into one place")
        flat[places] = rows
    if flat.data_ptr() != self.data_ptr():
        moved.copy_(flat.view(moved.shape))
    return self


def _is_mask(index: Tensor | None) -> bool:
    """Say whether an index is a mask: to torch those of uint8 are, as truth values."""
    return index is not None and index.dtype in (torch.bool, torch.uint8)


def _is_one_mask(indices: Sequence[Tensor | None]) -> bool:
    """Say whether a mask stands alone: beside an index its places are repeated for each of that."""
    return [_is_mask(one) for one in indices if one is not None] == [True]


def _name_places(indices: Sequence[Tensor | None], shape: Sequence[int]) -> list[Tensor | None]:
    """Return indices in which a mask is the numbers of its places, an index an axis.

    Raises:
        UnsupportedError: A mask is not as long as the axes of ``shape`` that it masks.
    """
    found: list[Tensor | None] = []
    for one in indices:
        if one is None or not _is_mask(one):
            found.append(one)
            continue
        if one.shape != tuple(shape[len(found) : len(found) + one.ndim]):
            raise UnsupportedError("a mask of another shape than what it masks")
        found += one.nonzero().unbind(1)
    return found


def _bring_rows(
    values: Tensor, axes: Sequence[int], shape: Sequence[int], rest: Sequence[int]
) -> Tensor:
    """Return values broadcast, and with the axes of ``shape`` first.

    Of indices that stand side by side the places take their axes' place, else the first one.
    """
    start = axes[0] if list(axes) == list(range(axes[0], axes[0] + len(axes))) else 0
    whole = values.expand(*rest[:start], *shape, *rest[start:])
    return whole.movedim(tuple(range(start, start + len(shape))), tuple(range(len(shape))))


def index_add(self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """Return a copy with the slices of ``source`` added where ``index`` says.

    Raises:
        UnsupportedError: ``alpha`` is not 1, or a slice or an index does not fit.
    """
    if alpha != 1:
        raise UnsupportedError("index_add with alpha")
    if self.ndim == 0:
        return index_add(self.reshape(1), 0, index, source.reshape(-1)).reshape(())
    moved = self.clone().movedim(dim, 0).contiguous()
    rows = source.movedim(dim, 0)
    places = index.reshape(-1)
    if rows.shape != (len(places), *moved.shape[1:]):
        raise UnsupportedError("index_add of slices of another shape")
    require_within(places, len(moved))
    return add_rows(moved, places, rows).movedim(0, dim)


def require_within(index: Tensor, size: int) -> None:
    """Refuse an index that names no place of an axis.

    Raises:
        UnsupportedError: So it does.
    """
    if bool(((index < 0) | (index >= size)).any()):
        raise UnsupportedError("an index outside its axis")


def embedding_backward(
    grad_output: Tensor,
    indices: Tensor,
    num_weights: int,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> Tensor:
    """Return the gradient of an embedding's table."""
    if scale_grad_by_freq or padding_idx >= 0:
        raise UnsupportedError("an embedding with padding, or scaled by frequency")
    width = grad_output.shape[-1]
    table = grad_output.new_zeros(num_weights, width)
    return add_rows(table, indices.reshape(-1), grad_output.reshape(-1, width))


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.index_put.default": index_put,
    "aten.index_put_.default": index_put_,
    "aten._unsafe_index_put.default": index_put,
    "aten.index_add.default": index_add,
    "aten.embedding_dense_backward.default": embedding_backward,
}
