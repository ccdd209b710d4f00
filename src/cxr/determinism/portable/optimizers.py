"""SGD and AdamW from single elementwise steps, in torch's formulas and with torch's state.

Torch's own take the same steps fused, some by multiply-adds that round once and some not, as the
processor's instruction set has it. Here each op rounds once, in one order, so every element has the
same bits everywhere. The numbers of the recipe are combined in float64 by ``+``, ``-``, ``x``,
``/`` and ``math.sqrt``, which IEEE 754 fixes, and rounded to float32 at the end.
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import torch
from torch.utils._python_dispatch import _disable_current_modes

from cxr.determinism.portable.elementary.scalar_functions import power
from cxr.determinism.portable.elementary.scalars import round_to_float32

BLOCK: Final = 2**17
"""Elements that are updated at a time, so that they stay in a core's cache from step to step."""

Groups = Iterable[torch.Tensor] | Iterable[dict[str, Any]]


class _PortableOptimizer(torch.optim.Optimizer):
    """What both have in common: the loop over parameters, block by block."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient.

        Args:
            closure: Must be None; it is torch's interface.
        """
        if closure is not None:
            raise TypeError("a step is taken from gradients that are there")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    @abstractmethod
    def _update(
        self, parameter: torch.Tensor, gradient: torch.Tensor, group: Mapping[str, Any]
    ) -> None:
        """Move one parameter."""


class PortableSGD(_PortableOptimizer):
    """Stochastic gradient descent with momentum; state: ``momentum_buffer``.

    Args:
        groups: Parameters, or groups of them.
        lr: Learning rate.
        momentum: Share of the last move that is kept.
        nesterov: Whether the gradient looks ahead along the move.
        weight_decay: Times the parameter, added to its gradient.

    Source: torch.optim.SGD, ``_single_tensor_sgd``, without dampening.
    """

    def __init__(
        self,
        groups: Groups,
        *,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
        }
        super().__init__(groups, defaults)

    def _update(
        self, parameter: torch.Tensor, gradient: torch.Tensor, group: Mapping[str, Any]
    ) -> None:
        lr = round_to_float32(group["lr"])
        momentum = round_to_float32(group["momentum"])
        weight_decay = round_to_float32(group["weight_decay"])
        kept: list[torch.Tensor] = []
        state = self.state[parameter]
        # -0 is what the first gradient is added to without a change: it is the buffer as it is.
        if momentum:
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.full_like(parameter, -0.0)
            kept.append(state["momentum_buffer"])
        for values, slope, *buffers in _take_blocks(parameter, gradient, *kept):
            move = slope
            if weight_decay:
                move = (values * weight_decay).add_(slope)
            for buffer in buffers:
                buffer.mul_(momentum).add_(move)
                move = (buffer * momentum).add_(move) if group["nesterov"] else buffer
            values.sub_(move * lr)


class PortableAdamW(_PortableOptimizer):
    """Adam with decoupled weight decay; state: ``exp_avg``, ``exp_avg_sq`` and ``step``.

    Args:
        groups: Parameters, or groups of them.
        lr: Learning rate.
        betas: Shares that the averages of gradients and of their squares keep at each step.
        eps: Added to the root that is divided by.
        weight_decay: Times the learning rate, taken off the parameter.

    Source: torch.optim.AdamW, ``_single_tensor_adam``.
    """

    def __init__(
        self,
        groups: Groups,
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(groups, defaults)

    def _update(
        self, parameter: torch.Tensor, gradient: torch.Tensor, group: Mapping[str, Any]
    ) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        lr, num_steps = group["lr"], int(state["step"])
        decayed = round_to_float32(1 - lr * group["weight_decay"])
        new1, kept2, new2 = (round_to_float32(value) for value in (1 - beta1, beta2, 1 - beta2))
        size = round_to_float32(lr / (1 - _raise(beta1, num_steps)))
        correction = round_to_float32(math.sqrt(1 - _raise(beta2, num_steps)))
        # As a tensor: a kernel may divide by a number through its reciprocal.
        divisor = torch.full((), correction, device=parameter.device)
        eps = round_to_float32(group["eps"])
        for values, slope, average, squares in _take_blocks(
            parameter, gradient, state["exp_avg"], state["exp_avg_sq"]
        ):
            average.add_((slope - average).mul_(new1))
            squares.mul_(kept2).add_((slope * slope).mul_(new2))
            move = average / _take_root(squares).div_(divisor).add_(eps)
            if decayed != 1:
                values.mul_(decayed)
            values.sub_(move.mul_(size))


# All parameters of a step need the same two.
_raise: Final = functools.lru_cache(maxsize=16)(power)


def _take_root(values: torch.Tensor) -> torch.Tensor:
    """Return the correctly rounded square roots of float32 values.

    Even where the root in float64 is one unit in the last place off, it rounds to the right
    float32: no float32 has a root within four such units of the middle between two of them. So it
    is taken outside a mode that would have float64 roots computed correctly as well.
    """
    with _disable_current_modes():
        return values.double().sqrt_().float()


def _take_blocks(*tensors: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield the tensors block by block, as views; whole where they are not laid out alike."""
    first, *others = tensors
    alike = all(other.stride() == first.stride() for other in others)
    if first.numel() <= BLOCK or not (alike and first.is_contiguous()):
        yield tensors
        return
    yield from zip(*(tensor.view(-1).split(BLOCK) for tensor in tensors), strict=True)
