"""Norms against torch's own in float64, and their special values."""

from __future__ import annotations

import math

import pytest
import torch

from cxr.determinism.portable.errors import NotFiniteError, UnsupportedError
from cxr.determinism.portable.trees.norms import REPLACED
from support.fixed_numbers import draw_fixed as draw


def find(name):
    """Return the portable and torch's own operation."""
    _, packet, overload = name.split(".")
    return REPLACED[name], getattr(getattr(torch.ops.aten, packet), overload)


@pytest.mark.parametrize("scale", [1.0, 2.0**100, 2.0**-140])
@pytest.mark.parametrize("order", [0, 1, 2, math.inf])
def test_norms_are_right_at_every_magnitude(scale, order):
    x = draw(5, 40) * scale
    portable, native = find("aten.linalg_vector_norm.default")
    for dims in (None, [1]):
        mine = portable(x, order, dims)
        assert torch.equal(mine, native(x.double(), order, dims).float())
    norms, _ = find("aten._foreach_norm.Scalar")
    assert norms([x, x[0]], order) == [portable(x, order), portable(x[0], order)]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 3e38])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(NotFiniteError):
        REPLACED["aten.linalg_vector_norm.default"](torch.full((40,), value))


def test_another_order_is_refused():
    with pytest.raises(UnsupportedError, match="order 3"):
        REPLACED["aten.norm.Scalar"](torch.ones(3), 3)
