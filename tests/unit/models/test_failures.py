from __future__ import annotations

import pytest
import torch
from torch import nn

from cxr.errors import TrainingError
from cxr.models.failures import explained_failures


def test_one_sample_and_batch_norm_are_explained():
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4))
    with pytest.raises(TrainingError) as caught, explained_failures("step 3"):
        network(torch.zeros(1, 4))
    assert "more than 1 value per channel" in caught.value.problem
    assert caught.value.where == "step 3"
    assert "train.shards" in caught.value.hint


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB"), "smaller batches"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "smaller"),
        (RuntimeError("shape mismatch"), "data.image_size"),
        (AssertionError(), "data.image_size"),
    ],
)
def test_what_a_model_raises_has_a_hint(error, hint):
    with pytest.raises(TrainingError) as caught, explained_failures("step 0"):
        raise error
    assert hint in caught.value.hint
    assert caught.value.problem.startswith("the model cannot compute this: ")
    assert not caught.value.problem.endswith(": ")


def test_an_op_without_a_deterministic_kernel_is_left_to_those_who_name_it():
    error = RuntimeError("put_ does not have a deterministic implementation, but you set")
    with pytest.raises(RuntimeError) as caught, explained_failures("step 0"):
        raise error
    assert caught.value is error
