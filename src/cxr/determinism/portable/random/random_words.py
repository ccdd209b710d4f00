"""Random words in torch: the blocks of a stream, and tensors filled from them piece by piece.

The numbers of a draw go to its elements in their logical order, so neither strides nor the size
of a piece can change them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch

from cxr.determinism.portable.random.drawing import take_key
from cxr.determinism.streams import Key
from cxr.determinism.threefry import WORD_MASK, threefry2x32

WORD_BITS: Final = 32
PIECE: Final = 2**15
"""Elements that are filled at a time, an even number: their words stay in a core's cache."""

_MIDDLING: Final = 3 * 2**30
"""The word at three quarters of the range: inside whatever bounds are drawn between."""

Convert = Callable[[torch.Tensor, slice], torch.Tensor]
"""Makes numbers of words: int64 in [0, 2^32), shape (n,), for these elements of the draw."""


def take_blocks(key: Key, start: int, num: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return blocks ``start`` to ``start + num`` of a stream.

    Returns:
        The low and the high word of each, as `cxr.determinism.streams.Stream.uint64` puts them
        together: shape (num,), int64, in [0, 2^32).
    """
    positions = torch.arange(start, start + num, dtype=torch.int64)
    low, high = threefry2x32(key, (positions & WORD_MASK, positions >> WORD_BITS))
    return low, high


def take_words(key: Key, start: int, num: int) -> torch.Tensor:
    """Return words ``start`` to ``start + num`` of a stream, two a block, the low one first.

    Args:
        key: The stream's.
        start: An even number.
        num: How many.

    Returns:
        Shape (num,), int64, in [0, 2^32).
    """
    blocks = take_blocks(key, start // 2, (num + 1) // 2)
    return torch.stack(blocks, dim=1).view(-1)[:num]


def fill(drawn: torch.Tensor, convert: Convert) -> torch.Tensor:
    """Fill a tensor of any layout with one draw, a word an element, and return it.

    Where nothing is to be drawn, every word is the same middling one.
    """
    key = take_key(drawn)
    values = drawn if drawn.is_contiguous() else torch.empty(drawn.shape, dtype=drawn.dtype)
    flat = values.view(-1)
    for start in range(0, flat.numel(), PIECE):
        where = slice(start, min(start + PIECE, flat.numel()))
        num = where.stop - start
        if key is None:
            words = torch.full((num,), _MIDDLING, dtype=torch.int64)
        else:
            words = take_words(key, start, num)
        flat[where] = convert(words, where)
    return drawn if values is drawn else drawn.copy_(values)
