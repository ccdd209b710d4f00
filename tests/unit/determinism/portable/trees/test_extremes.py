"""Extremes have one zero and one NaN, whichever of them a machine takes."""

from __future__ import annotations

import torch

from cxr.determinism.portable.trees.extremes import REPLACED


def test_extremes_have_one_zero_and_one_nan():
    zeros = torch.tensor([[-0.0, 0.0], [0.0, -0.0], [-0.0, -0.0]])
    negative_nan = torch.tensor([-4194304], dtype=torch.int32).view(torch.float32)
    spoiled = torch.cat([torch.tensor([1.0]), negative_nan])
    for name in ("max", "min"):
        reduce = REPLACED[f"aten.{name}.dim"]
        values, places = reduce(zeros, 1)
        assert not values.signbit().any()
        assert places.tolist() == [0, 0, 0]
        assert not REPLACED[f"aten.a{name}.default"](zeros, [1]).signbit().any()
        assert not REPLACED[f"aten.{name}.default"](zeros).signbit()
        assert REPLACED[f"aten.{name}.default"](spoiled).view(torch.int32).item() == 0x7FC00000
        assert REPLACED[f"aten.{name}.default"](torch.tensor([3, 5])).item() in {3, 5}


def test_both_extremes_at_once_have_one_zero_and_one_nan():
    both = REPLACED["aten.aminmax.default"]
    low, high = both(torch.tensor([[-0.0, 2.0], [-3.0, -0.0]]), dim=1)
    assert (low.tolist(), high.tolist()) == ([0.0, -3.0], [2.0, 0.0])
    assert low.signbit().tolist() == [False, True]
    assert not high.signbit().any()
    negative_nan = torch.tensor([-4194304], dtype=torch.int32).view(torch.float32)
    assert [one.view(torch.int32).item() for one in both(negative_nan)] == [0x7FC00000] * 2
