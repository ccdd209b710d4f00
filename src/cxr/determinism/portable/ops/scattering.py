"""Elements put, or added, to the places that an index of the same shape names along one axis.

Torch puts elements that meet in one place in the order in which its threads come to them. What is
added is added in the order of the index, as in `gathering`; what is put may not meet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.ops.gathering import add_rows, require_within

Tensor = torch.Tensor


def scatter_add(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Return a copy with elements of ``src`` added where ``index`` says; gradient of a gather.

    Args:
        self: Floats.
        dim: The axis along which ``index`` counts.
        index: int64; along other axes at most as long as ``self``.
        src: Of the dtype of ``self``, and nowhere shorter than ``index``.
    """
    return scatter_add_(self.clone(memory_format=torch.contiguous_format), dim, index, src)


def scatter_add_(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Add in place."""
    if not index.numel():
        return self
    _require_fitting(self, dim, index, src)
    elements = src[tuple(slice(size) for size in index.shape)].reshape(-1)
    flat = add_rows(self.reshape(-1), _find_places(self, dim, index), elements)
    return self if flat.data_ptr() == self.data_ptr() else self.copy_(flat.view(self.shape))


def _require_fitting(self: Tensor, dim: int, index: Tensor, src: Tensor) -> None:
    """Refuse shapes and indices that name elements which there are not.

    Raises:
        UnsupportedError: So they do.
    """
    if self.ndim == 0:
        return
    axis = dim % self.ndim
    require_within(index, self.shape[axis])
    for place, size in enumerate(index.shape):
        if size > src.shape[place] or (place != axis and size > self.shape[place]):
            raise UnsupportedError("scatter_add with an index that is longer than its tensors")


def scatter(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Return a copy with elements of ``src`` put where ``index`` says.

    Raises:
        UnsupportedError: Two of them meet in one place.
    """
    _require_apart(self, dim, index)
    return torch.scatter(self, dim, index, src)


def scatter_(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Put in place.

    Raises:
        UnsupportedError: Two of them meet in one place.
    """
    _require_apart(self, dim, index)
    return self.scatter_(dim, index, src)


def _require_apart(self: Tensor, dim: int, index: Tensor) -> None:
    # One element of each line, as in the gradient of a maximum, meets none.
    if not index.numel() or index.ndim == 0 or index.shape[dim] == 1:
        return
    places = _find_places(self, dim, index)
    if len(torch.unique(places)) != len(places):
        raise UnsupportedError("several values put into one place")


def _find_places(self: Tensor, dim: int, index: Tensor) -> Tensor:
    """Return for each element of ``index`` its place in the memory of a contiguous ``self``."""
    if self.ndim == 0:
        return index.reshape(-1)
    places = torch.zeros((), dtype=torch.int64, device=index.device)
    for axis, size in enumerate(self.shape):
        if axis == dim % self.ndim:
            along = index
        else:
            shape = [-1 if other == axis else 1 for other in range(index.ndim)]
            along = torch.arange(index.shape[axis], device=index.device).view(shape)
        places = places * size + along
    return places.reshape(-1)


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.scatter.src": scatter,
    "aten.scatter_.src": scatter_,
    # The same value, whoever comes last.
    "aten.scatter.value": torch.ops.aten.scatter.value,
    "aten.scatter_.value": torch.ops.aten.scatter_.value,
    "aten.scatter_add.default": scatter_add,
    "aten.scatter_add_.default": scatter_add_,
}
"""By the name that ``str`` gives an overload."""
