"""Large tensors piece by piece, so that several steps on one piece stay in a core's cache.

Every step on a piece is elementwise, so how a tensor is cut never changes a bit. It may therefore
follow the memory layout, which is where the speed is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from torch import Tensor

BLOCK_ELEMENTS: Final = 2**17
"""Elements of a piece: four float32 operands of it fill the 2 MiB of a usual second-level cache."""


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
    num_elements = tensors[0].numel()
    candidates = [dim for dim, length in enumerate(shape) if length > 1 and dim != whole]
    if num_elements <= BLOCK_ELEMENTS or not candidates:
        yield tuple(tensors)
        return
    dim = max(candidates, key=lambda candidate: strides[candidate])
    length = shape[dim]
    step = max(1, BLOCK_ELEMENTS * length // num_elements)
    for start in range(0, length, step):
        size = min(step, length - start)
        parts = [part.narrow(dim, start, size) if part.shape[dim] > 1 else part for part in tensors]
        yield from split_into_blocks(parts, whole=whole)
