"""The table's functions under autograd: signatures, in-place forms and gradients fit torch's."""

from __future__ import annotations

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from support.portable_function_bits import TABLE, draw_usual


class Replacing(TorchDispatchMode):
    """Applies the table; everything else computes natively."""

    def __init__(self):
        super().__init__()
        self.used = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        del types
        name = str(func)
        if name not in TABLE:
            return func(*args, **(kwargs or {}))
        self.used.add(name)
        return TABLE[name](*args, **(kwargs or {}))


def compute_loss(x):
    h = functional.gelu(x) + functional.gelu(x, approximate="tanh") + functional.mish(x)
    h = h + functional.elu(x) + functional.celu(x, 2.0) + functional.selu(x)
    h = h + functional.hardswish(x) + functional.hardsigmoid(x) + functional.relu6(x)
    h = h + functional.leaky_relu(x) + functional.softplus(x) + functional.logsigmoid(x)
    h = functional.silu(h + x.tanh() + x.sigmoid() + functional.relu(x), inplace=True).clone()
    h = h.relu_().clone().clamp_(max=30.0)
    one = x.abs() + 1
    h = h + x.exp() + one.sqrt() + one.rsqrt() + one**0.3 + x**2 + 2.0**x + one.log() + x.erf()
    h = h * h.softmax(-1) + torch.maximum(x, -x) + 1 / one
    targets = torch.arange(len(x)) % x.shape[1]
    weight = torch.arange(1, x.shape[1] + 1).to(x) / 2
    loss = functional.cross_entropy(h, targets, weight=weight, label_smoothing=0.1)
    loss = loss + functional.cross_entropy(h, targets, reduction="sum")
    return loss + functional.binary_cross_entropy_with_logits(h, x.sigmoid(), pos_weight=weight)


def test_a_loss_and_its_gradient_are_near_those_of_float64():
    x = draw_usual(24, 30, limit=2.0).reshape(6, 4)
    single, double = x.clone().requires_grad_(), x.double().requires_grad_()
    with Replacing() as mode:
        loss = compute_loss(single)
        loss.backward()
    wanted = compute_loss(double)
    wanted.backward()
    assert torch.allclose(loss.detach().double(), wanted.detach(), rtol=1e-6)
    scale = float(double.grad.abs().max())
    assert torch.allclose(single.grad.double(), double.grad, rtol=1e-5, atol=1e-6 * scale)
    assert {
        "aten.gelu_backward.default",
        "aten.relu_.default",
        "aten._softmax_backward_data.default",
        "aten.nll_loss_backward.default",
    } <= mode.used
    with torch.inference_mode(), Replacing():
        assert torch.equal(compute_loss(x), loss.detach())
