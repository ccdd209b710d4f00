from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.ops import arithmetic_ops as ops

# (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: the last term is lost where a product is rounded first.
NEAR_ONE = torch.full((64,), 1 + 2.0**-12)
MINUS_SQUARE = torch.full((64,), -(1 + 2.0**-11))


@pytest.mark.parametrize(
    "compute",
    [
        lambda: ops.REPLACED["aten.add.Tensor"](MINUS_SQUARE, NEAR_ONE, alpha=1 + 2.0**-12),
        lambda: ops.REPLACED["aten.add_.Tensor"](
            MINUS_SQUARE.clone(), NEAR_ONE, alpha=1 + 2.0**-12
        ),
        lambda: ops.REPLACED["aten.sub.Tensor"](MINUS_SQUARE, -NEAR_ONE, alpha=1 + 2.0**-12),
        lambda: ops.addcmul(MINUS_SQUARE, NEAR_ONE, NEAR_ONE),
        lambda: ops.addcmul_(MINUS_SQUARE.clone(), NEAR_ONE, NEAR_ONE),
        lambda: ops.addcmul(MINUS_SQUARE, NEAR_ONE, torch.ones(64), value=1 + 2.0**-12),
    ],
)
def test_a_product_is_rounded_before_it_is_added(compute):
    """A fused multiply-add, which torch takes where the processor can, would give 2^-24."""
    assert compute().tolist() == [0.0] * 64


def test_a_scalar_is_rounded_to_the_dtype_of_the_tensor():
    x = torch.tensor([1.0, 3.0, 1e10])
    tenth = torch.tensor(0.1, dtype=torch.float32)
    exact = [float(Fraction(value) * Fraction(tenth.item())) for value in x.tolist()]
    assert torch.equal(ops.mul(x, 0.1), torch.tensor(exact, dtype=torch.float32))
    assert torch.equal(ops.div(x, 0.1), x / tenth)
    assert torch.equal(ops.add(x, 2**24 + 1), x + torch.tensor(2.0**24))
    assert torch.equal(ops.sub(1.0, x), torch.tensor([0.0, -2.0, 1 - 1e10]))
    assert ops.mul(x.double(), 0.1).tolist() == [value * 0.1 for value in x.tolist()]


def test_a_quotient_is_no_product_with_a_reciprocal():
    x = torch.arange(1, 200, dtype=torch.float32)
    exact = [float(Fraction(int(value)) / 49) for value in x]
    assert torch.equal(ops.div(x, 49), torch.tensor(exact, dtype=torch.float32))
    assert not torch.equal(x * torch.tensor(1 / 49), ops.div(x, 49))


def test_integers_stay_integers_and_are_divided_as_floats():
    x = torch.arange(5)
    assert ops.REPLACED["aten.add.Tensor"](x, x, alpha=3).tolist() == [0, 4, 8, 12, 16]
    assert ops.mul(x, 2).dtype is torch.int64
    assert ops.div(x, 2).dtype is torch.float32
    assert ops.mul(x, 0.5).tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert ops.REPLACED["aten.sub.Tensor"](x, 1).tolist() == [-1, 0, 1, 2, 3]


def test_what_is_written_in_place_keeps_its_dtype():
    x = torch.ones(3)
    assert ops.add_(x, torch.tensor(0.5, dtype=torch.float64)) is x
    assert x.tolist() == [1.5] * 3
    with pytest.raises(UnsupportedError, match="more digits"):
        ops.mul_(x, torch.ones(3, dtype=torch.float64))
    with pytest.raises(UnsupportedError, match="integers"):
        ops.div_(torch.arange(3), 2)


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9, 1.0, 0.0])
def test_lerp_is_torchs_formula_in_single_steps(weight):
    start, end = torch.tensor([0.0, 1.0, -3.5]), torch.tensor([1.0, 1.0, 2.25])
    found = ops.lerp(start, end, weight)
    assert torch.allclose(found, torch.lerp(start, end, weight), rtol=2e-7, atol=0)
    assert torch.equal(found, ops.lerp(start, end, torch.full((3,), weight)))
    assert torch.equal(ops.lerp_(start.clone(), end, weight), found)


def test_quotients_are_added_as_torch_does_but_not_fused():
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 7.0])
    assert torch.equal(ops.addcdiv(x, x, y, value=-0.1), x + (x * torch.tensor(-0.1)) / y)
    assert torch.equal(ops.addcdiv_(x.clone(), x, y), x + x / y)
