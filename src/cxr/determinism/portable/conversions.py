"""Floats that become integers: only those that an integer of the dtype holds."""

from __future__ import annotations

import torch

from cxr.determinism.portable.errors import NotFiniteError, UnsupportedError


def require_convertible(source: torch.Tensor, dtype: torch.dtype) -> None:
    """Refuse floats that no integer of ``dtype`` holds: what they become depends on the processor.

    Raises:
        NotFiniteError: There are infinities or NaN among them.
        UnsupportedError: A number is outside the range.
    """
    if dtype.is_floating_point or dtype is torch.bool or not source.is_floating_point():
        return
    if not bool(torch.isfinite(source).all()):
        raise NotFiniteError(f"infinities or NaN cannot become {dtype}")
    limits = torch.iinfo(dtype)
    wide = source.to(torch.float64).trunc()
    # The highest integer may round up to one that is outside: hence below it, and not at it.
    if not bool(((wide >= float(limits.min)) & (wide < float(limits.max) + 1)).all()):
        raise UnsupportedError(f"numbers outside the range of {dtype}")
