"""Which dimensions a reduction is over, as torch lets its users name them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cxr.determinism.portable.errors import UnsupportedError

Dims = Sequence[int] | int | None
"""Those to reduce; None or none at all for every one."""


def is_float(x: Tensor) -> bool:
    """Say whether rounding matters, complex numbers included: `check_dtype` refuses those."""
    return x.is_floating_point() or x.is_complex()


def lift(x: Tensor) -> Tensor:
    """Return a tensor with at least one dimension."""
    return x.reshape(1) if x.ndim == 0 else x


def resolve_dims(x: Tensor, dim: Dims) -> tuple[int, ...]:
    """Return dimensions ascending; all of them for None or an empty list.

    Raises:
        IndexError: There is no such dimension.
        UnsupportedError: One is named twice.
    """
    places = range(max(1, x.ndim))
    named = [dim] if isinstance(dim, int) else list(dim or places)
    dims = tuple(sorted(places[place] for place in named))
    if len(set(dims)) < len(dims):
        raise UnsupportedError(f"a reduction that names a dimension twice: {named}")
    return dims


def shape_result(total: Tensor, x: Tensor, dims: Sequence[int], *, keepdim: bool) -> Tensor:
    """Return a result without the summed dimensions, unless they are to be kept."""
    if x.ndim == 0:
        return total.reshape(())
    return total if keepdim else total.squeeze(tuple(dims))
