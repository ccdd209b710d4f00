"""Calls that torch refuses, or that fit what they are given, get no silent result."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cxr.determinism.portable.mode import portable_arithmetic
from cxr.errors import DeterminismError

ZEROS = torch.zeros(3, 2)
IMAGE = torch.ones(1, 1, 2, 5)
LARGE = torch.ones(1, 1, 9, 9)
KERNEL = torch.ones(1, 1, 3, 3)
INTEGERS = torch.ones(3, dtype=torch.int64)
FOUR = torch.ones(4, 1, 3, 3)

UNFIT = {
    "scatter_add beyond": lambda: ZEROS.scatter_add(1, torch.tensor([[3], [0]]), torch.ones(2, 1)),
    "scatter_add longer": lambda: ZEROS[:1].scatter_add(1, torch.zeros(2, 1).long(), ZEROS),
    "index_add broadcast": lambda: ZEROS.index_add(0, torch.tensor([0, 1]), torch.ones(2, 1)),
    "index_add left over": lambda: ZEROS.index_add(0, torch.tensor([0]), torch.ones(2, 2)),
    "index_add beyond": lambda: ZEROS.index_add(0, torch.tensor([3]), torch.ones(1, 2)),
    "layer_norm shape": lambda: functional.layer_norm(torch.ones(4, 6), (2,)),
    "layer_norm weight": lambda: functional.layer_norm(ZEROS, (2,), torch.ones(1)),
    "kernel too large": lambda: functional.conv2d(IMAGE, KERNEL),
    "depthwise": lambda: functional.conv2d(IMAGE.expand(1, 4, 2, 5), FOUR, groups=4),
    "padding": lambda: functional.conv2d(LARGE, KERNEL, padding=-1),
    "bias": lambda: functional.conv2d(LARGE, FOUR, torch.ones(1)),
    "stride": lambda: functional.conv2d(LARGE, KERNEL, stride=0),
    "dilation": lambda: functional.conv2d(LARGE, KERNEL, dilation=0),
    "class weights": lambda: functional.nll_loss(ZEROS, torch.tensor([0, 1, 0]), torch.ones(3)),
    "lerp of integers": lambda: torch.lerp(INTEGERS, INTEGERS, 0.5),
    "lerp of dtypes": lambda: torch.lerp(ZEROS, ZEROS.double(), 0.5),
    "lerp weight": lambda: torch.lerp(ZEROS, ZEROS, ZEROS.double()),
    "addcdiv of integers": lambda: torch.addcdiv(INTEGERS, INTEGERS, INTEGERS),
    "glu": lambda: functional.glu(torch.ones(2, 3)),
}


@pytest.mark.parametrize("call", UNFIT.values(), ids=UNFIT)
def test_what_torch_refuses_is_refused(call):
    with pytest.raises((RuntimeError, IndexError)):
        call()
    with (
        portable_arithmetic("a test"),
        pytest.raises((DeterminismError, RuntimeError, IndexError)),
    ):
        call()


@pytest.mark.parametrize("activate", [functional.leaky_relu, functional.elu, functional.celu])
def test_a_result_that_does_not_tell_its_argument_s_sign_has_no_gradient(activate):
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    with (
        portable_arithmetic("a test"),
        pytest.raises(DeterminismError, match="in place with a negative"),
    ):
        activate(x * 1.0, -0.5, inplace=True).sum().backward()
    with portable_arithmetic("a test"):
        activate(x * 1.0, 0.5, inplace=True).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("method", ["sum", "prod"])
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64])
@pytest.mark.parametrize("source", [torch.bool, torch.int8, torch.uint8])
def test_integers_are_reduced_in_the_dtype_that_was_asked_for(method, dtype, source):
    x = torch.tensor([[100, 1], [100, 3]]).to(source)
    with portable_arithmetic("a test"):
        found = [getattr(x, method)(dtype=dtype), getattr(x, method)(0, dtype=dtype)]
    native = [getattr(x, method)(dtype=dtype), getattr(x, method)(0, dtype=dtype)]
    for one, other in zip(found, native, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_an_index_into_a_number_has_a_gradient():
    x = torch.tensor(2.0, requires_grad=True)
    with portable_arithmetic("a test"):
        x.index_select(0, torch.tensor([0])).sum().backward()
    assert x.grad is not None
    assert x.grad.item() == 1.0
