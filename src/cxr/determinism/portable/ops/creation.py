"""Conversions between dtypes, and ranges of whole numbers, where every machine agrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.conversions import require_convertible
from cxr.determinism.portable.errors import NotFiniteError, UnsupportedError

Tensor = torch.Tensor

_EXACT_TO: Final = {torch.float32: 2**24, torch.float64: 2**53}
"""Up to here every whole number is a float of the dtype."""


def to_copy(self: Tensor, *, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
    """Convert; between floats a value is rounded half to even."""
    if dtype is not None:
        require_convertible(self, dtype)
    copied: Tensor = torch.ops.aten._to_copy.default(self, dtype=dtype, **options)  # noqa: SLF001
    return copied


def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Copy, converting as `to_copy` does."""
    if src.dtype is not self.dtype:
        require_convertible(src, self.dtype)
    return self.copy_(src, non_blocking)


def _converting(op: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return an op that puts its second tensor into its first, converting as `to_copy` does."""

    def put(self: Tensor, values: Tensor, *places: int | None) -> Tensor:
        require_convertible(values, self.dtype)
        return op(self, values, *places)

    return put


def _arange(start: float, end: float, step: float, **options: Any) -> Tensor:
    """Return whole numbers in steps; those of floats only where each is exact."""
    dtype = options.get("dtype") or (
        torch.int64
        if all(isinstance(one, int) for one in (start, end, step))
        else torch.get_default_dtype()
    )
    if dtype.is_floating_point:
        whole = all(float(one).is_integer() for one in (start, step))
        if not whole or max(abs(start), abs(end)) > _EXACT_TO.get(dtype, 0):
            raise UnsupportedError("a range of floats that are no small whole numbers")
    return torch.arange(start, end, step, **options)


def linspace(start: float, end: float, steps: int, **options: Any) -> Tensor:
    """Return ``steps`` numbers from ``start`` to ``end``, taken in float64 and rounded once.

    Models take the rates of stochastic depth from it.

    Raises:
        UnsupportedError: The numbers are to be integers.
    """
    dtype = options.pop("dtype", None) or torch.get_default_dtype()
    if not dtype.is_floating_point:
        raise UnsupportedError("evenly spaced integers")
    width = float(end) - float(start)
    values = [float(start) + width * (number / max(1, steps - 1)) for number in range(steps)]
    return torch.tensor(values, dtype=dtype, device=options.get("device"))


def unique(
    self: Tensor,
    sorted: bool = True,  # noqa: A002 - aten's signature
    return_inverse: bool = False,
    return_counts: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return each value once, in rising order; of zeros the positive one.

    Raises:
        NotFiniteError: There are NaN among the values, of which none equals another.
        UnsupportedError: The order is left to torch.
    """
    if not sorted:
        raise UnsupportedError("values in an order of torch's choice")
    if self.is_floating_point():
        if bool(torch.isnan(self).any()):
            raise NotFiniteError("the distinct ones among NaN")
        self = self + 0.0
    values = torch.ops.aten._unique2.default  # noqa: SLF001
    found: tuple[Tensor, Tensor, Tensor] = values(self, True, return_inverse, return_counts)
    return found


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten._to_copy.default": to_copy,
    "aten.copy_.default": copy_,
    "aten.fill_.Tensor": _converting(torch.ops.aten.fill_.Tensor),
    "aten.select_scatter.default": _converting(torch.ops.aten.select_scatter.default),
    "aten.slice_scatter.default": _converting(torch.ops.aten.slice_scatter.default),
    "aten.linspace.default": linspace,
    "aten._unique2.default": unique,
    "aten.arange.default": lambda end, **options: _arange(0, end, 1, **options),
    "aten.arange.start": lambda start, end, **options: _arange(start, end, 1, **options),
    "aten.arange.start_step": lambda start, end, step=1, **options: _arange(
        start, end, step, **options
    ),
}
