"""Scaled dot-product attention as one fixed composition, whatever torch's version would choose.

Torch picks among kernels by shapes, masks and processor. Here scores, softmax and the weighted sum
are ops of their own: forward and backward go through the table like those of any other layer.
Rows of queries and columns of keys have an exponent each, so nothing depends on the batch.

Source: Vaswani et al., "Attention is all you need", 2017, equation 1.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any, Final

import torch
from torch.nn import functional

from cxr.determinism.portable.errors import UnsupportedError

Tensor = torch.Tensor


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return ``softmax(scale * query @ key^T + mask) @ value``; torch's own signature.

    Args:
        query: Shape (..., L, E).
        key: Shape (..., S, E).
        value: Shape (..., S, V).
        attn_mask: Of truth values, True where attended to, or of floats to be added; broadcastable
            to (..., L, S). A row that attends to nothing gives zeros.
        dropout_p: Share of weights that are dropped.
        is_causal: Whether position i attends to none after it.
        scale: 1 / sqrt(E) by default.
        enable_gqa: Whether fewer heads of keys are shared by several of queries; refused.

    Returns:
        Shape (..., L, V), float32.

    Raises:
        UnsupportedError: Heads of keys are shared, or a mask is given beside ``is_causal``.
    """
    if enable_gqa:
        raise UnsupportedError("attention that shares keys between heads")
    if is_causal:
        if attn_mask is not None:
            raise UnsupportedError("a mask beside is_causal")
        num_queries, num_keys = query.shape[-2], key.shape[-2]
        attn_mask = query.new_ones((num_queries, num_keys), dtype=torch.bool).tril()
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query * factor) @ key.transpose(-2, -1)
    weights = _weigh(scores, attn_mask)
    if dropout_p:
        weights = functional.dropout(weights, dropout_p)
    return weights @ value


def _weigh(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Return the softmax of masked scores."""
    if mask is None:
        return torch.softmax(scores, dim=-1)
    if mask.dtype is not torch.bool:
        return torch.softmax(scores + mask, dim=-1)
    attended = mask.any(dim=-1, keepdim=True)
    # A row without anything to attend to is computed as if there were no mask, then set to zero.
    kept = torch.logical_or(mask, torch.logical_not(attended))
    weights = torch.softmax(scores.masked_fill(torch.logical_not(kept), -math.inf), dim=-1)
    return weights.masked_fill(torch.logical_not(attended), 0.0)


def _rebind(torchs: Callable[..., Any]) -> Callable[..., Any]:
    """Return torch's function for several heads with `attend` in place of the attention it calls.

    torch calls that by its name in the module, which a function mode, off within what it calls
    itself, never sees.
    """
    names = {**torchs.__globals__, functional.scaled_dot_product_attention.__name__: attend}
    rebound = types.FunctionType(
        torchs.__code__, names, torchs.__name__, torchs.__defaults__, torchs.__closure__
    )
    rebound.__kwdefaults__ = torchs.__kwdefaults__
    return rebound


attend_by_heads: Final = _rebind(functional.multi_head_attention_forward)
"""``torch.nn.functional.multi_head_attention_forward``, computed by `attend`."""
