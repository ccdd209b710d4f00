from __future__ import annotations

import math

import pytest
import torch

from cxr.determinism.portable.mode import portable_arithmetic
from cxr.errors import TrainingError
from cxr.training.finiteness import require_finite

# As x86 makes it of inf - inf; another machine has no sign there.
NEGATIVE_NAN = torch.tensor([-4194304], dtype=torch.int32).view(torch.float32).item()


@pytest.mark.parametrize("value", [math.nan, NEGATIVE_NAN, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 99])
def test_what_is_no_number_is_named_wherever_it_is(value: float, place: int):
    spoiled = torch.zeros(100)
    spoiled[place] = value
    tensors = {"first": torch.ones(3, 2), "second.weight": spoiled.reshape(10, 10)}
    with (
        portable_arithmetic("a test"),
        pytest.raises(TrainingError, match=r"the gradient of second\.weight has") as caught,
    ):
        require_finite(tensors, "gradient", where="step 1")
    assert caught.value.where == "step 1"


def test_numbers_integers_and_nothing_pass():
    largest = torch.tensor([torch.finfo(torch.float32).max, -0.0, 1e-45])
    tensors = {"a": largest, "b": torch.tensor(3), "c": torch.zeros(0)}
    with portable_arithmetic("a test"):
        require_finite(tensors, "gradient", where="step 1")
