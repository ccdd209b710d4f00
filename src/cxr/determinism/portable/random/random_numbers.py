"""The aten ops that draw random numbers, dropout among them, by `cxr`'s own generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from cxr.determinism.portable.elementary.scalars import round_to_float32
from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.random.distributions import (
    bernoulli_,
    bernoulli_each_,
    integers_,
    normal_,
    permute,
    uniform_,
)


def _rand(size: Sequence[int], **options: Any) -> torch.Tensor:
    return uniform_(_make(size, **options))


def _randn(size: Sequence[int], **options: Any) -> torch.Tensor:
    return normal_(_make(size, **options))


def _rand_like(tensor: torch.Tensor, **options: Any) -> torch.Tensor:
    return uniform_(_make_like(tensor, **options))


def _randn_like(tensor: torch.Tensor, **options: Any) -> torch.Tensor:
    return normal_(_make_like(tensor, **options))


def _normal_of_size(
    mean: float, std: float, size: Sequence[int], *, generator: Any = None, **options: Any
) -> torch.Tensor:
    return normal_(_make(size, **options), mean, std, generator=generator)


def _randint(high: int, size: Sequence[int], **options: Any) -> torch.Tensor:
    return _randint_low(0, high, size, **options)


def _randint_low(
    low: int, high: int, size: Sequence[int], *, dtype: torch.dtype | None = None, **options: Any
) -> torch.Tensor:
    return integers_(_make(size, dtype=dtype or torch.int64, **options), low, high)


def _randperm(num: int, *, dtype: torch.dtype | None = None, **options: Any) -> torch.Tensor:
    _make((), **options)
    return permute(num).to(dtype or torch.int64)


def _bernoulli(probabilities: torch.Tensor, *, generator: Any = None) -> torch.Tensor:
    return bernoulli_each_(torch.empty_like(probabilities), probabilities, generator=generator)


def _bernoulli_p(
    tensor: torch.Tensor, probability: float, *, generator: Any = None
) -> torch.Tensor:
    return bernoulli_(torch.empty_like(tensor), probability, generator=generator)


def native_dropout(
    values: torch.Tensor,
    probability: float,
    train: bool | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``values`` with some of them 0 and the others scaled up, and which are kept.

    Args:
        values: Any shape, float32.
        probability: Of being dropped.
        train: Whether anything is dropped; None counts as true.

    Returns:
        The values, and a bool tensor of the same shape.
    """
    kept = torch.ones_like(values, dtype=torch.bool)
    if train is False or probability == 0:
        return values.clone(), kept
    bernoulli_(kept, 1 - probability)
    scale = 0.0 if probability == 1 else 1 / (1 - probability)
    return native_dropout_backward(values, kept, scale), kept


def native_dropout_backward(
    gradient: torch.Tensor, kept: torch.Tensor, scale: float
) -> torch.Tensor:
    """Return the gradient where values were kept, scaled as they were."""
    return gradient * (kept.to(gradient.dtype) * round_to_float32(scale))


def _make(
    size: Sequence[int],
    *,
    dtype: torch.dtype | None = None,
    layout: torch.layout | None = None,
    device: torch.device | None = None,
    pin_memory: bool | None = None,
) -> torch.Tensor:
    """Return an empty tensor, float32 unless it is said.

    Raises:
        UnsupportedError: It is to lie elsewhere than in the CPU's plain memory.
    """
    plain = layout in {None, torch.strided} and not pin_memory
    if not plain or (device is not None and device.type != "cpu"):
        raise UnsupportedError(f"random numbers on {device}, laid out as {layout}")
    return torch.empty(tuple(size), dtype=dtype or torch.float32)


def _make_like(
    tensor: torch.Tensor,
    *,
    dtype: torch.dtype | None = None,
    memory_format: torch.memory_format = torch.preserve_format,
    **options: Any,
) -> torch.Tensor:
    """Return an empty tensor like another one.

    Raises:
        UnsupportedError: As `_make`.
    """
    _make((), **options)
    return torch.empty_like(tensor, dtype=dtype, memory_format=memory_format)


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.bernoulli.default": _bernoulli,
    "aten.bernoulli.p": _bernoulli_p,
    "aten.bernoulli_.Tensor": bernoulli_each_,
    "aten.bernoulli_.float": bernoulli_,
    "aten.native_dropout.default": native_dropout,
    "aten.native_dropout_backward.default": native_dropout_backward,
    "aten.normal.float_float": _normal_of_size,
    "aten.normal_.default": normal_,
    "aten.rand.default": _rand,
    "aten.rand_like.default": _rand_like,
    "aten.randint.default": _randint,
    "aten.randint.low": _randint_low,
    "aten.randn.default": _randn,
    "aten.randn_like.default": _randn_like,
    "aten.randperm.default": _randperm,
    "aten.uniform_.default": uniform_,
}
"""Ops that are computed here, by the name of their overload. All other ways of drawing, and all
other distributions, are refused."""
