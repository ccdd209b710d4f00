"""The least and the greatest element as torch's operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor


def _extreme(name: str) -> Callable[..., Any]:
    """Return torch's own reduction to an extreme, with one zero and one NaN in its results.

    The extreme itself is exact, but which of -0 and +0 it is, and the bits of a NaN, are not
    the same on every machine.
    """
    native = getattr(torch, name)

    def reduce(x: Tensor, *arguments: Any, **options: Any) -> Any:
        result = native(x, *arguments, **options)
        if isinstance(result, Tensor):
            return _canonicalise(result)
        # Values and their places, or both extremes.
        return tuple(map(_canonicalise, result))

    reduce.__doc__ = f"Apply ``torch.{name}`` and give a zero or NaN its one form."
    return reduce


def _canonicalise(x: Tensor) -> Tensor:
    """Return floats with +0 for -0 and the quiet NaN without sign for any NaN."""
    return torch.where(x.isnan(), torch.nan, x + 0.0) if x.is_floating_point() else x


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.amax.default": _extreme("amax"),
    "aten.amin.default": _extreme("amin"),
    "aten.max.default": _extreme("max"),
    "aten.min.default": _extreme("min"),
    "aten.max.dim": _extreme("max"),
    "aten.min.dim": _extreme("min"),
    "aten.aminmax.default": _extreme("aminmax"),
}
"""By the name that ``str`` gives an overload."""
