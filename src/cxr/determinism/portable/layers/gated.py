"""Activations with a second operand: gated linear units, and slopes that are learnt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.elementary.elementwise import map_float32, map_many
from cxr.determinism.portable.elementary.exponentials import exp_single, invert, sigmoid_single
from cxr.determinism.portable.errors import UnsupportedError

Tensor = torch.Tensor

_FLAT: Final = 200.0
"""Beyond it the logistic function is 0 or 1 in float32."""


def glu(self: Tensor, dim: int = -1) -> Tensor:
    """Return a / (1 + exp(-b)) of the halves a and b along ``dim``; float32, within 1 ulp.

    Raises:
        UnsupportedError: The length along ``dim`` is odd.

    Source: Dauphin et al., "Language modeling with gated convolutional networks", 2017, eq. 1.
    """
    if self.shape[dim] % 2:
        raise UnsupportedError(f"glu of {self.shape[dim]} channels, which have no halves")
    a, b = self.chunk(2, dim)
    return map_float32(lambda a, b: sigmoid_single(b).mul_(a), a, b)


def glu_backward(grad_output: Tensor, self: Tensor, dim: int) -> Tensor:
    """Return the gradient of `glu`, float32: g s of one half and g a s (1 - s) of the other."""

    def compute(grad: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        # 1 - s = exp(-b) s, without cancellation.
        power = exp_single(b.clamp_(-_FLAT, _FLAT).neg_())
        share = invert(power + 1.0).mul_(grad)
        rest = power.div_(power + 1.0)
        return share, rest.mul_(a).mul_(share)

    return torch.cat(map_many(compute, grad_output, *self.chunk(2, dim), num_outputs=2), dim)


def prelu(self: Tensor, weight: Tensor) -> Tensor:
    """Return x above 0, else weight x; one rounding.

    Args:
        self: Floats.
        weight: Of the same dtype, broadcastable to ``self``.
    """
    return torch.where(self > 0, self, self * weight)


def prelu_backward(grad_output: Tensor, self: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of x and, not yet summed, of the weight."""
    above = self > 0
    of_weight = (self * grad_output).masked_fill_(above, 0.0)
    return torch.where(above, grad_output, grad_output * weight), of_weight


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.glu.default": glu,
    "aten.glu_backward.default": glu_backward,
    "aten._prelu_kernel.default": prelu,
    "aten._prelu_kernel_backward.default": prelu_backward,
}
"""By the name that ``str`` gives an overload."""
