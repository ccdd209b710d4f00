"""`matmul` by a vector: no bit of it, or of a gradient, shows how its rows lie in memory."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cxr.determinism.portable.mode import portable_arithmetic

MAKERS = {
    "@": lambda x, v: x @ v,
    "matmul": torch.matmul,
    "linalg": torch.linalg.matmul,
    "method": lambda x, v: x.matmul(v),
    "reflected": lambda x, v: v.__rmatmul__(x),
    "linear": functional.linear,
    "from the left": lambda x, v: v @ x.mT,
}


def lay_out(x, layout):
    if layout == "contiguous":
        return x.clone()
    if layout == "transposed":
        return x.transpose(0, 1).contiguous().transpose(0, 1)
    return x.mT.contiguous().mT


def compute(make, x, v, *, layout, freeze):
    x = lay_out(x, layout).requires_grad_()
    v = v.clone().requires_grad_(not freeze)
    with portable_arithmetic("a test"):
        out = make(x, v)
        (out * out).sum().backward()
    return out.detach(), x.grad


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_neither_the_layout_nor_who_is_frozen_shows(make):
    draws = torch.Generator().manual_seed(3)
    x, v = torch.randn(3, 5, 7, generator=draws), torch.randn(7, generator=draws)
    v[::2] *= 1e-7
    out, grad = compute(make, x, v, layout="contiguous", freeze=False)
    native = x.double() @ v.double()
    torch.testing.assert_close(out.double(), native, rtol=1e-4, atol=1e-5)
    for layout in ("contiguous", "transposed", "columns"):
        for freeze in (False, True):
            again = compute(make, x, v, layout=layout, freeze=freeze)
            assert torch.equal(again[0], out)
            assert torch.equal(again[1], grad)


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 2, 3), (3, 2))]
)
def test_other_products_have_torch_s_shapes(shapes):
    one, other = (torch.ones(shape) for shape in shapes)
    with portable_arithmetic("a test"):
        found = one @ other
    assert torch.equal(found, one @ other)


def test_a_projection_to_one_number_may_have_a_bias():
    with portable_arithmetic("a test"):
        found = functional.linear(torch.ones(2, 2, 3), torch.ones(3), torch.tensor(1.0))
    assert torch.equal(found, torch.full((2, 2), 4.0))
