"""torch's own modules and autograd on the replaced operations, by a mode of a few lines."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from support.fixed_numbers import draw_fixed as draw
from support.reduction_cases import REPLACED

UNIT = 2.0**-24


class Replacing(TorchDispatchMode):
    """Replaces what there is, and notes its names."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        del types
        name = str(func)
        if name in REPLACED:
            self.seen.add(name)
        return REPLACED.get(name, func)(*args, **(kwargs or {}))


class GlobalResponse(nn.Module):
    """The norm over a picture, as ConvNeXt-V2 takes it."""

    def forward(self, x):
        norm = x.norm(p=2, dim=(2, 3), keepdim=True)
        return x * (norm / (norm.mean(dim=1, keepdim=True) + 1e-6))


MODULES = {
    "native_batch_norm": lambda: nn.BatchNorm2d(4),
    "native_layer_norm": lambda: nn.LayerNorm([7]),
    "native_group_norm": lambda: nn.GroupNorm(2, 4),
    "max_pool2d_with_indices": lambda: nn.MaxPool2d(3, 2, 1),
    "avg_pool2d": lambda: nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
    "_adaptive_avg_pool2d": lambda: nn.AdaptiveAvgPool2d(3),
    "mean": lambda: nn.AdaptiveAvgPool2d(1),
    "norm": GlobalResponse,
}


def train(module, x):
    """Return the result, the gradients and the buffers after one step forward and back."""
    x = x.clone().requires_grad_()
    y = module(x)
    y.backward(draw(*y.shape, seed=1).to(y.dtype))
    return [y.detach(), x.grad, *(p.grad for p in module.parameters()), *module.buffers()]


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_modules_train_as_they_do_in_float64(name, memory_format):
    x = (draw(5, 4, 8, 7) * 0.125).contiguous(memory_format=memory_format)
    mode = Replacing()
    with mode:
        mine = train(MODULES[name](), x)
    exact = train(MODULES[name]().double(), x.double())
    assert any(name in seen for seen in mode.seen)
    for value, reference in zip(mine, exact, strict=True):
        size = reference.abs().max().item()
        torch.testing.assert_close(
            value.double(), reference.double(), rtol=0, atol=40 * UNIT * size
        )


@pytest.mark.parametrize("name", MODULES)
def test_modules_evaluate_as_they_do_in_float64(name):
    x = draw(5, 4, 8, 7) * 0.125
    with torch.no_grad(), Replacing():
        mine = MODULES[name]().eval()(x)
    exact = MODULES[name]().double().eval()(x.double())
    torch.testing.assert_close(mine.double(), exact, rtol=8 * UNIT, atol=40 * UNIT)
