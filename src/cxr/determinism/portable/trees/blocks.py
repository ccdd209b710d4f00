"""Large tensors piece by piece, so that several steps on one piece stay in a core's cache.

Every step on a piece is elementwise, so how a tensor is cut never changes a bit. It may therefore
follow the memory layout, which is where the speed is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from torch import Tensor

BLOCK_ELEMENTS: Final = 2**18
"""Elements of a piece: 1 MiB of float32, shared by the cores that work on it.

Less costs calls and waiting for threads, more leaves a second-level cache of 2 MiB a core.
"""


def is_one_block(x: Tensor) -> bool:
    """Say whether a tensor is too small to be worth cutting."""
    return x.numel() < 2 * BLOCK_ELEMENTS


def split_into_blocks(
    tensors: Sequence[Tensor], *, whole: int | None = None
) -> Iterator[tuple[Tensor, ...]]:
    """Cut tensors alike, along the dimension that lies farthest apart in memory.

    Args:
        tensors: The first has the full shape; the others have as many dimensions, each of the same
            length or 1. Not changed.
        whole: A dimension that must not be cut.

    Yields:
        Views of them all, at least once, also of empty tensors.
    """
    shape, strides = tensors[0].shape, tensors[0].stride()
    candidates = [dim for dim, length in enumerate(shape) if length > 1 and dim != whole]
    if is_one_block(tensors[0]) or not candidates:
        yield tuple(tensors)
        return
    dim = max(candidates, key=lambda candidate: strides[candidate])
    length = shape[dim]
    step = max(1, BLOCK_ELEMENTS * length // tensors[0].numel())
    for start in range(0, length, step):
        size = min(step, length - start)
        parts = [part.narrow(dim, start, size) if part.shape[dim] > 1 else part for part in tensors]
        yield from split_into_blocks(parts, whole=whole)
