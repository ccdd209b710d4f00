from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import pytest
import torch
from torch.nn import functional

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.layers.losses import (
    REPLACED,
    binary_cross_entropy_with_logits,
    nll_loss_backward,
    nll_loss_forward,
)
from support.accuracy import draw_float32

NUM, CLASSES, IGNORED = 101, 14, -100
LOG_PROBS = -draw_float32(NUM * CLASSES, -20, 4).abs().reshape(NUM, CLASSES)
TARGET = torch.arange(NUM) * 5 % CLASSES
WEIGHT = draw_float32(CLASSES, -2, 2, seed=5).abs()


def test_the_sum_is_the_exact_sum_rounded():
    found, total = nll_loss_forward(LOG_PROBS, TARGET, WEIGHT, 2, IGNORED)
    terms = [
        -Fraction(float(LOG_PROBS[row, int(label)])) * Fraction(float(WEIGHT[label]))
        for row, label in enumerate(TARGET)
    ]
    assert float(found) == float(torch.tensor(float(sum(terms)), dtype=torch.float64).float())
    weights = sum(Fraction(float(WEIGHT[label])) for label in TARGET)
    assert float(total) == float(torch.tensor(float(weights), dtype=torch.float64).float())


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_forward_and_backward_are_atens(reduction, weight):
    target = TARGET.clone()
    target[::7] = IGNORED
    rest = (target, weight, reduction, IGNORED)
    wide = (target, None if weight is None else weight.double(), reduction, IGNORED)
    loss, total = nll_loss_forward(LOG_PROBS, *rest)
    wanted, wanted_total = torch.ops.aten.nll_loss_forward(LOG_PROBS.double(), *wide)
    assert loss.shape == wanted.shape
    assert torch.allclose(loss.double(), wanted, rtol=1e-7, atol=0)
    assert torch.allclose(total.double(), wanted_total, rtol=1e-7, atol=0)
    grad = torch.full_like(loss, 0.7)
    found = nll_loss_backward(grad, LOG_PROBS, *rest, total)
    expected = torch.ops.aten.nll_loss_backward(
        grad.double(), LOG_PROBS.double(), *wide, wanted_total
    )
    assert torch.allclose(found.double(), expected, rtol=2e-7, atol=0)
    assert not found[::7].any()


def test_one_sample_without_a_batch_and_targets_that_are_no_class():
    loss, _ = nll_loss_forward(LOG_PROBS[0], torch.tensor(3), None, 1, IGNORED)
    assert float(loss) == -float(LOG_PROBS[0, 3])
    back = nll_loss_backward(torch.ones(()), LOG_PROBS[0], torch.tensor(3), None, 2, IGNORED, loss)
    assert back.tolist() == [-1.0 if index == 3 else 0.0 for index in range(CLASSES)]
    with pytest.raises(IndexError, match="14"):
        nll_loss_forward(LOG_PROBS, TARGET + CLASSES, None, 1, IGNORED)
    with pytest.raises(UnsupportedError):
        nll_loss_forward(LOG_PROBS, TARGET.int(), None, 1, IGNORED)


@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_binary_cross_entropy_is_the_exact_value_rounded(reduction):
    x = draw_float32(NUM * 3, -10, 7).reshape(NUM, 3)
    y = (torch.arange(NUM * 3) % 2).float().reshape(NUM, 3) * 0.9 + 0.05
    weight, positive = (torch.arange(NUM * 3) % 3 > 0).float().reshape(NUM, 3), WEIGHT[:3]
    found = binary_cross_entropy_with_logits(x, y, weight, positive, reduction)
    columns = (x, y, weight, positive.expand(NUM, 3))
    terms = [
        w * ((1 - y) * x + (1 + (p - 1) * y) * mp.log1p(mp.exp(-x)))
        for x, y, w, p in zip(
            *([mp.mpf(value) for value in column.flatten().tolist()] for column in columns),
            strict=True,
        )
    ]
    exact = terms if reduction == 0 else [mp.fsum(terms) / (len(terms) if reduction == 1 else 1)]
    for value, wanted in zip(found.flatten().tolist(), exact, strict=True):
        assert abs(value - wanted) <= abs(wanted) * 2.0**-23.9


def test_what_torch_dispatches_for_the_training_losses_is_here():
    from torch.utils._python_dispatch import TorchDispatchMode

    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            del types
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with Watch():
        functional.cross_entropy(LOG_PROBS, TARGET, weight=WEIGHT, label_smoothing=0.1)
        functional.binary_cross_entropy_with_logits(LOG_PROBS, LOG_PROBS.neg())
    assert {name for name in seen if "loss" in name or "cross" in name} <= set(REPLACED)
    assert any("nll_loss_forward" in name for name in seen)
