from __future__ import annotations

import pytest
import safetensors.torch
import torch

from cxr.errors import WeightsError
from cxr.models.weights_distance import measure_weights_distance


@pytest.fixture
def write(tmp_path):
    def save(name, **tensors):
        path = tmp_path / f"{name}.safetensors"
        safetensors.torch.save_file(tensors, path)
        return path

    return save


def test_largest_difference_and_relative_norm(write):
    steps = torch.tensor(3)
    a = write("a", w=torch.tensor([3.0, 4.0]), b=torch.zeros(1), n=steps)
    b = write("b", w=torch.tensor([3.0, 3.0]), b=torch.full((1,), 2.0), n=steps + 1)
    found = measure_weights_distance(a, b)
    assert (found.tensors, found.largest_difference) == (3, 2.0)
    assert found.relative_norm == pytest.approx(5**0.5 / 5)
    same = measure_weights_distance(a, a)
    assert (same.tensors, same.largest_difference, same.relative_norm) == (0, 0.0, 0.0)


def test_zeros_have_no_relative_norm(write):
    a, b = write("a", w=torch.zeros(2)), write("b", w=torch.ones(2))
    assert measure_weights_distance(a, b).relative_norm is None


def test_other_tensors_and_damage_are_refused(write, tmp_path):
    a, b = write("a", w=torch.zeros(2)), write("b", w=torch.zeros(3))
    with pytest.raises(WeightsError, match="other tensors"):
        measure_weights_distance(a, b)
    (tmp_path / "c").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot read"):
        measure_weights_distance(a, tmp_path / "c")
