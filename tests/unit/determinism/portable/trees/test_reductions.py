"""Reductions against torch's own in float64, and their special values."""

from __future__ import annotations

import math

import pytest
import torch

from cxr.determinism.portable.errors import NotFiniteError, UnsupportedError
from cxr.determinism.portable.trees.reductions import REPLACED
from support.fixed_numbers import draw_fixed as draw

SHAPES = [(5, 4, 3, 7), (6,), (), (1,), (3, 1, 2)]
UNIT = 2.0**-24


def find(name):
    """Return the portable and torch's own operation."""
    _, packet, overload = name.split(".")
    return REPLACED[name], getattr(getattr(torch.ops.aten, packet), overload)


def list_dims(shape):
    return [[], [0], [-1], list(range(len(shape)))]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("keepdim", [True, False])
@pytest.mark.parametrize("name", ["aten.sum.dim_IntList", "aten.mean.dim"])
def test_sums_and_means_are_within_their_bounds(name, shape, keepdim):
    x = draw(*shape)
    portable, native = find(name)
    for dims in list_dims(shape):
        mine = portable(x, dims, keepdim)
        exact = native(x.double(), dims, keepdim)
        size = native(x.double().abs(), dims, keepdim)
        assert mine.shape == exact.shape
        assert ((mine.double() - exact).abs() <= 5 * UNIT * size).all()


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_integers_are_added_as_torch_adds_them(dtype):
    x = draw(5, 4, 3).abs().to(dtype)
    portable, native = find("aten.sum.dim_IntList")
    for dims in ([], [1], [-1, 0]):
        assert torch.equal(portable(x, dims), native(x, dims))
    converted = portable(x, [0], dtype=torch.float32)
    assert converted.dtype == torch.float32
    assert torch.equal(converted, native(x, [0]).float())
    product, native = find("aten.prod.dim_int")
    assert torch.equal(product(x, 1), native(x, 1))


@pytest.mark.parametrize("shape", [(5, 4, 30), (1000,), (1, 3, 2)])
@pytest.mark.parametrize("correction", [0, 1, None, 0.5])
@pytest.mark.parametrize("name", ["var", "var_mean", "std", "std_mean"])
def test_variances_are_within_their_bounds(name, shape, correction):
    x = draw(*shape)
    portable, native = find(f"aten.{name}.correction")
    for dims in ([], [-1]):
        mine = portable(x, dims, correction=correction)
        exact = native(x.double(), dims, correction=correction)
        if isinstance(mine, tuple):
            mean, exact_mean = mine[1], exact[1]
            assert (mean.double() - exact_mean).abs().max() <= 5 * UNIT * x.abs().max()
            mine, exact = mine[0], exact[0]
        assert ((mine.double() - exact).abs() <= 16 * UNIT * exact).all()


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 20])
def test_products_are_within_their_bounds(length):
    x = draw(3, length) * 0.25
    portable, native = find("aten.prod.dim_int")
    for dim in (0, 1):
        exact = native(x.double(), dim)
        bound = max(0, x.shape[dim] - 1) * UNIT * exact.abs() * 1.01
        assert ((portable(x, dim).double() - exact).abs() <= bound).all()


def test_sums_have_one_zero():
    assert not REPLACED["aten.sum.default"](torch.tensor([-0.0, -0.0])).signbit()
    assert not REPLACED["aten.sum.default"](torch.tensor(-0.0)).signbit()


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 3e38])
def test_what_is_not_finite_is_refused(value):
    # Sums overflow on the way to a mean that float32 could hold.
    x = torch.full((40,), value)
    for name in ("sum", "mean", "prod"):
        with pytest.raises(NotFiniteError):
            REPLACED[f"aten.{name}.default"](x)


@pytest.mark.parametrize("name", ["sum", "prod"])
def test_floats_become_integers_within_their_range_alone(name):
    reduce = REPLACED[f"aten.{name}.default"]
    assert reduce(torch.tensor([2.5, -3.5]), dtype=torch.int64) == {"sum": -1, "prod": -6}[name]
    with pytest.raises(UnsupportedError, match=r"outside the range of torch\.int32"):
        reduce(torch.tensor([1.0, 3e9]), dtype=torch.int32)
    with pytest.raises(NotFiniteError):
        reduce(torch.tensor([1.0, math.nan]), dtype=torch.int32)


def test_what_has_no_portable_form_is_refused():
    with pytest.raises(NotFiniteError):
        REPLACED["aten.mean.default"](torch.zeros(0))
    with pytest.raises(NotFiniteError):
        REPLACED["aten.var.correction"](torch.zeros(1))
    with pytest.raises(UnsupportedError, match="float16"):
        REPLACED["aten.sum.default"](torch.ones(3).half())
    with pytest.raises(UnsupportedError, match="complex64"):
        REPLACED["aten.sum.default"](torch.ones(3, dtype=torch.complex64))
    with pytest.raises(UnsupportedError, match="twice"):
        REPLACED["aten.sum.dim_IntList"](torch.ones(3, 3), [1, -1])
    with pytest.raises(IndexError):
        REPLACED["aten.sum.dim_IntList"](torch.ones(3, 3), [2])
