"""Negative log-likelihood and binary cross-entropy with logits: aten's ops, float64 inside.

Terms are products of two float32, exact in float64; they are added as a fixed tree in float64 and
rounded once. The backward of binary cross-entropy is made by autograd of ops that have their own
portable form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.elementary.elementwise import canonicalise_nan_, require_float32
from cxr.determinism.portable.elementary.exponentials import exp_single
from cxr.determinism.portable.elementary.logarithms import log1p_64
from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.trees.sums import sum_tree

_NONE, _MEAN, _SUM = 0, 1, 2
"""aten's numbers for a loss's reduction. Source: torch/nn/_reduction.py."""


def nll_loss_forward(
    log_probs: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    reduction: int,
    ignore_index: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weighted negative log-likelihood and the sum of weights, float32.

    Args:
        log_probs: Shape (N, C) or (C,), float32.
        target: Class indices, shape (N,) or (), int64.
        weight: Of classes, shape (C,), float32, or None.
        reduction: 0 none, 1 mean, 2 sum.
        ignore_index: Samples with this target count nothing.

    Raises:
        IndexError: A target names no class.
    """
    rows, targets, weights = _prepare(log_probs, target, weight, ignore_index)
    picked = rows.gather(1, targets[:, None])[:, 0].double()
    # An ignored sample counts nothing, whatever its logits are; + 0.0 leaves no -0.
    terms = (picked * weights).neg_().masked_fill_(weights == 0.0, 0.0).add_(0.0)
    if reduction == _NONE:
        losses = terms.float().reshape(target.shape)
        return canonicalise_nan_(losses), log_probs.new_zeros(())
    total_weight = sum_tree(weights, (0,))
    total = sum_tree(terms, (0,))
    if reduction == _MEAN:
        total = total / total_weight
    return canonicalise_nan_(total.float()), total_weight.float()


def nll_loss_backward(
    grad: torch.Tensor,
    log_probs: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    reduction: int,
    ignore_index: int,
    total_weight: torch.Tensor,
) -> torch.Tensor:
    """Return the gradient of `nll_loss_forward`, float32, shaped as ``log_probs``."""
    rows, targets, weights = _prepare(log_probs, target, weight, ignore_index)
    values = weights.neg().mul_(grad.double())
    if reduction == _MEAN:
        values.div_(total_weight.double())
    values.masked_fill_(weights == 0.0, 0.0).add_(0.0)
    found = torch.zeros_like(rows, memory_format=torch.contiguous_format)
    found.scatter_(1, targets[:, None], canonicalise_nan_(values.float())[:, None])
    return found.reshape(log_probs.shape)


def binary_cross_entropy_with_logits(
    logits: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    pos_weight: torch.Tensor | None = None,
    reduction: int = _MEAN,
) -> torch.Tensor:
    """Return w ((1 - y) x + (1 + (p - 1) y) ln(1 + exp(-x))), float32, reduced.

    Args:
        logits: x, any shape, float32.
        target: y, of the same shape, float32.
        weight: w, of a shape that broadcasts, float32, or None.
        pos_weight: p, likewise.
        reduction: 0 none, 1 mean, 2 sum.
    """
    weights = [
        torch.ones((), dtype=torch.float32) if w is None else w for w in (weight, pos_weight)
    ]
    losses = _map_float64(_weighted_cross_entropy, logits, target, *weights)
    if reduction == _NONE:
        return canonicalise_nan_(losses.float())
    total = sum_tree(losses.reshape(-1), (0,))
    if reduction == _MEAN:
        total = total / torch.tensor(float(losses.numel()), dtype=torch.float64)
    return canonicalise_nan_(total.float())


def _weighted_cross_entropy(
    x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, pos_weight: torch.Tensor
) -> torch.Tensor:
    """Return one loss an element, float64; ln(1 + exp(-x)) is taken where nothing overflows."""
    log_term = log1p_64(exp_single(x.abs().neg_())).add_(x.neg().clamp_(min=0.0))
    log_term.mul_(((pos_weight - 1.0) * y).add_(1.0))
    return ((1.0 - y) * x).add_(log_term).mul_(weight).add_(0.0)


def _map_float64(kernel: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> torch.Tensor:
    """Apply a kernel to float32 tensors that broadcast; the result stays float64."""
    require_float32(*inputs)
    return kernel(*(tensor.double() for tensor in torch.broadcast_tensors(*inputs)))


def _prepare(
    log_probs: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None, ignore_index: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return rows (N, C), targets (N,) with 0 where ignored, and weights (N,), float64."""
    require_float32(log_probs)
    if target.dtype is not torch.int64 or log_probs.ndim > 2:  # noqa: PLR2004 - samples, classes
        raise UnsupportedError(f"nll_loss of {target.dtype} and {log_probs.ndim} dimensions")
    rows = log_probs if log_probs.ndim == 2 else log_probs[None]  # noqa: PLR2004
    targets = target.reshape(-1)
    is_ignored = targets == ignore_index
    targets = targets.masked_fill(is_ignored, 0)
    if bool(((targets < 0) | (targets >= rows.shape[1])).any()):
        raise IndexError(f"a target is no class: there are {rows.shape[1]}")
    if weight is None:
        weights = torch.ones(len(targets), dtype=torch.float64)
    else:
        require_float32(weight)
        if weight.shape != rows.shape[1:]:
            raise UnsupportedError(f"{weight.numel()} weights of {rows.shape[1]} classes")
        weights = weight.double()[targets]
    return rows, targets, weights.masked_fill_(is_ignored, 0.0)


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.nll_loss_forward.default": nll_loss_forward,
    "aten.nll_loss_backward.default": nll_loss_backward,
    "aten.binary_cross_entropy_with_logits.default": binary_cross_entropy_with_logits,
}
