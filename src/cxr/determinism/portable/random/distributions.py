"""Random numbers from the project's counter-based generator, in place of torch's own.

Each is made of 32 random bits (`randint` and `randperm`: 64) by steps that are the same
everywhere: integer operations, then float64 ones, then one rounding. Bounds, means and deviations
are rounded to float32 first, because initialisers get some of them from the mathematics library of
the platform, whose last bit of a float64 may differ between machines; that bit is gone then, but
for one in some 2^28 values.
"""

from __future__ import annotations

import math
from typing import Any, Final

import torch

from cxr.determinism.portable.elementary.quantiles import normal_quantile64
from cxr.determinism.portable.elementary.scalars import round_to_float32
from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.random.drawing import take_key
from cxr.determinism.portable.random.random_words import WORD_BITS, fill, take_blocks

_WORDS: Final = 2.0**WORD_BITS
_HALF_WORDS: Final = 2 ** (WORD_BITS - 1)
_SIGN: Final = -(2**63)


def uniform_(
    drawn: torch.Tensor, start: float = 0.0, end: float = 1.0, *, generator: Any = None
) -> torch.Tensor:
    """Fill a float32 tensor with uniform numbers strictly between two bounds.

    Neither bound is ever drawn, so erfinv of numbers between -1 and 1 is finite. Where float32 has
    no number between them, all are ``start``.

    Raises:
        UnsupportedError: Another dtype, or a generator.
        ValueError: ``start`` is above ``end``.
    """
    _require_own(drawn.dtype, generator)
    start, end = round_to_float32(start), round_to_float32(end)
    if not start <= end:
        raise ValueError(f"uniform numbers from {start} to {end}")
    bounds = torch.tensor([start, end])
    lowest, highest = torch.nextafter(bounds, bounds.flip(0)).tolist()
    if lowest > highest:
        lowest = highest = start
    width = end - start

    def convert(words: torch.Tensor, _: slice) -> torch.Tensor:
        shares = words.double().add_(0.5).mul_(1 / _WORDS)
        return shares.mul_(width).add_(start).float().clamp_(lowest, highest)

    return fill(drawn, convert)


def normal_(
    drawn: torch.Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None
) -> torch.Tensor:
    """Fill a float32 tensor with normal numbers: quantiles of 2^32 equally likely probabilities.

    Raises:
        UnsupportedError: Another dtype, or a generator.
        ValueError: ``std`` is negative.
    """
    _require_own(drawn.dtype, generator)
    # No -0: a mean of +0 leaves none behind.
    mean, std = round_to_float32(mean) + 0.0, round_to_float32(std)
    if not std >= 0:
        raise ValueError(f"normal numbers with the standard deviation {std}")

    def convert(words: torch.Tensor, _: slice) -> torch.Tensor:
        offset = (words - _HALF_WORDS).double().add_(0.5).mul_(1 / _WORDS)
        return normal_quantile64(offset).mul_(std).add_(mean).float()

    return fill(drawn, convert)


def bernoulli_(
    drawn: torch.Tensor, probability: float = 0.5, *, generator: Any = None
) -> torch.Tensor:
    """Fill a tensor of any dtype with 1, drawn with ``probability``, and 0.

    Raises:
        UnsupportedError: A generator.
        ValueError: ``probability`` is not between 0 and 1.
    """
    _require_own(torch.float32, generator)
    if not 0 <= probability <= 1:
        raise ValueError(f"the probability {probability}")
    # A whole number: an integer tensor is compared to a fraction as float32.
    least = math.ceil(probability * _WORDS)
    return fill(drawn, lambda words, _: words < least)


def bernoulli_each_(
    drawn: torch.Tensor, probabilities: torch.Tensor, *, generator: Any = None
) -> torch.Tensor:
    """Fill a tensor with 1 and 0, drawn with a probability of each element's own.

    Raises:
        UnsupportedError: A generator.
        ValueError: A probability is not between 0 and 1.
    """
    _require_own(torch.float32, generator)
    least = probabilities.double().expand(drawn.shape).reshape(-1) * _WORDS
    if not bool(((least >= 0) & (least <= _WORDS)).all()):
        raise ValueError("a probability is not between 0 and 1")
    return fill(drawn, lambda words, where: words < least[where])


def permute(num: int) -> torch.Tensor:
    """Return a permutation of ``num`` numbers, int64: the order that sorts as many blocks.

    Equal blocks keep their order. They are `cxr.determinism.streams.Stream.permutation`'s.
    """
    found = torch.arange(num)
    key = take_key(found)
    if key is None:
        return found
    low, high = take_blocks(key, 0, num)
    # As signed numbers in the order of unsigned ones.
    blocks = (low | (high << WORD_BITS)) ^ _SIGN
    return torch.sort(blocks, stable=True).indices


def integers_(drawn: torch.Tensor, low: int, high: int) -> torch.Tensor:
    """Fill a tensor with whole numbers from ``low`` to below ``high``, all but equally likely.

    A number's share is off by at most 2^-33 of it.

    Raises:
        UnsupportedError: There are 2^31 numbers or more.
        ValueError: There are none.
    """
    num = high - low
    if num < 1:
        raise ValueError(f"whole numbers from {low} to below {high}")
    if num >= _HALF_WORDS:
        raise UnsupportedError(f"whole numbers from {low} to below {high}, more than 2^31 of them")
    key = take_key(drawn)
    if key is None:
        return drawn.fill_(low)
    lower, upper = take_blocks(key, 0, drawn.numel())
    # The upper 32 of the product's 96 bits.
    scaled = (upper * num + ((lower * num) >> WORD_BITS)) >> WORD_BITS
    return drawn.copy_((scaled + low).view(drawn.shape))


def _require_own(dtype: torch.dtype, generator: Any) -> None:
    if generator is not None:
        raise UnsupportedError("random numbers from a generator of the model's own")
    if dtype != torch.float32:
        raise UnsupportedError(f"random numbers of {dtype}")
