"""Batch normalisation under the names and signatures of torch's own operations.

They differ in what they take and return; what is computed is one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from cxr.determinism.portable.layers.batch_normalisation import (
    Gradients,
    Normalised,
    differentiate_normalise,
    normalise,
)


def _normalise_without_averages(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Normalised:
    """``aten._native_batch_norm_legit.no_stats``."""
    return normalise(x, weight, bias, None, None, training, momentum, eps)


def _evaluate(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> Normalised:
    """``aten._native_batch_norm_legit_no_training``."""
    return normalise(x, weight, bias, running_mean, running_var, False, momentum, eps)


def _normalise_functionally(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, ...]:
    """``aten._native_batch_norm_legit_functional``: new averages are returned, not written."""
    averages = running_mean.clone(), running_var.clone()
    return *normalise(x, weight, bias, *averages, training, momentum, eps), *averages


def _normalise_with_reserve(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor, ...]:
    """``aten._batch_norm_with_update``; the reserve is what cuDNN would keep: nothing."""
    results = normalise(x, weight, bias, running_mean, running_var, True, momentum, eps)
    return *results, x.new_empty(0, dtype=torch.uint8)


def _normalise_with_reserve_functionally(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor, ...]:
    """``aten._batch_norm_with_update_functional``."""
    averages = running_mean.clone(), running_var.clone()
    return *_normalise_with_reserve(x, weight, bias, *averages, momentum, eps), *averages


def _evaluate_with_reserve(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    momentum: float,
    eps: float,
) -> tuple[Tensor, ...]:
    """``aten._batch_norm_no_update``."""
    results = normalise(x, weight, bias, running_mean, running_var, False, momentum, eps)
    return *results, x.new_empty(0, dtype=torch.uint8)


def _differentiate_with_reserve(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    save_mean: Tensor | None,
    save_invstd: Tensor | None,
    update: bool,
    eps: float,
    output_mask: Sequence[bool],
    _reserve: Tensor,
) -> Gradients:
    """``aten.batch_norm_backward``."""
    averages = running_mean, running_var
    saved = save_mean, save_invstd
    return differentiate_normalise(gradient, x, weight, *averages, *saved, update, eps, output_mask)


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.native_batch_norm.default": normalise,
    "aten._native_batch_norm_legit.default": normalise,
    "aten._native_batch_norm_legit.no_stats": _normalise_without_averages,
    "aten._native_batch_norm_legit_no_training.default": _evaluate,
    "aten._native_batch_norm_legit_functional.default": _normalise_functionally,
    "aten._batch_norm_with_update.default": _normalise_with_reserve,
    "aten._batch_norm_with_update_functional.default": _normalise_with_reserve_functionally,
    "aten._batch_norm_no_update.default": _evaluate_with_reserve,
    "aten.native_batch_norm_backward.default": differentiate_normalise,
    "aten.batch_norm_backward.default": _differentiate_with_reserve,
}
"""By the name that ``str`` gives an overload."""
