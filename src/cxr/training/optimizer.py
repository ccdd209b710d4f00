"""The optimizer, and its state by the parameters' names."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cxr.config.schema import TrainConfig
from cxr.determinism.levels import Level


def build_optimizer(
    network: nn.Module, config: TrainConfig, *, level: Level
) -> torch.optim.Optimizer:
    """Build SGD or AdamW over the parameters that are trained.

    Vectors (biases and the scales of normalisation) are not decayed. The fused kernels make one
    pass over memory where the others make ten, and are as deterministic: each element is computed
    alone. At the level ``portable``, where they are refused, every step is an op of its own.

    Args:
        network: On its device, backbone frozen or not.
        config: The training section.
        level: The promise.
    """
    trained = [value for value in network.parameters() if value.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [v for v in trained if v.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [v for v in trained if v.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if level is Level.PORTABLE:
        return _build_portably(groups, config)
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.nesterov,
            fused=True,
        )
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps, fused=True)


def _build_portably(groups: list[dict[str, Any]], config: TrainConfig) -> torch.optim.Optimizer:
    from cxr.determinism.portable.optimizers import PortableAdamW, PortableSGD

    if config.optimizer == "sgd":
        return PortableSGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)
    return PortableAdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps)


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group the learning rate of the step that follows."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def describe_state(config: TrainConfig, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return tensors like those that the optimizer keeps of a parameter, without their content."""
    like = torch.empty_like(parameter, device="meta")
    if config.optimizer == "sgd":
        return {"momentum_buffer": like} if config.momentum else {}
    return {"exp_avg": like, "exp_avg_sq": like, "step": torch.empty((), device="meta")}


def name_optimizer_state(
    optimizer: torch.optim.Optimizer, network: nn.Module
) -> dict[str, torch.Tensor]:
    """Return the optimizer's tensors by ``<parameter>.<name>``.

    In the parameters' order, then by name: the order in which an optimizer made its tensors is
    gone after a checkpoint.
    """
    return {
        f"{name}.{key}": value
        for name, parameter in network.named_parameters()
        if parameter in optimizer.state
        for key, value in sorted(optimizer.state[parameter].items())
        if isinstance(value, torch.Tensor)
    }
