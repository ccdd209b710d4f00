"""Gradients of padding by reflection and by replication: slices added in one order.

A padded axis of length L, with l places before and r after it, has the gradient of its middle, to
which that of the places before is added and then that of the places after. Axes are taken from the
last to the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.trees.sums import sum_tree

Tensor = torch.Tensor
_Fold = Callable[[Tensor, int, int, int], Tensor]


def _fold_reflection(grad: Tensor, dim: int, before: int, after: int) -> Tensor:
    """Add what was mirrored at either end to the places that it is a copy of."""
    length = grad.shape[dim] - before - after
    folded = grad.narrow(dim, before, length).clone()
    folded.narrow(dim, 1, before).add_(grad.narrow(dim, 0, before).flip(dim))
    end = grad.narrow(dim, before + length, after).flip(dim)
    folded.narrow(dim, length - 1 - after, after).add_(end)
    return folded


def _fold_replication(grad: Tensor, dim: int, before: int, after: int) -> Tensor:
    """Add what was repeated at either end to the first place and to the last."""
    length = grad.shape[dim] - before - after
    folded = grad.narrow(dim, before, length).clone()
    for place, start, size in ((0, 0, before), (length - 1, before + length, after)):
        if size:
            repeated = sum_tree(grad.narrow(dim, start, size), (dim,), keepdim=True)
            folded.narrow(dim, place, 1).add_(repeated)
    return folded


def _backward(fold: _Fold) -> Callable[[Tensor, Tensor, Sequence[int]], Tensor]:
    """Return the gradient of a padding whose ends ``fold`` adds along one axis."""

    def compute(grad_output: Tensor, self: Tensor, padding: Sequence[int]) -> Tensor:
        if min(padding) < 0:
            raise UnsupportedError("padding that takes away")
        grad = grad_output
        # Pairs are named from the last axis on.
        for number in range(len(padding) // 2):
            before, after = padding[2 * number : 2 * number + 2]
            grad = fold(grad, self.ndim - 1 - number, before, after)
        return grad

    return compute


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    f"aten.{name}_pad{num_axes}d_backward.default": _backward(fold)
    for name, fold in (("reflection", _fold_reflection), ("replication", _fold_replication))
    for num_axes in (1, 2)
}
"""By the name that ``str`` gives an overload."""
