from __future__ import annotations

import pytest
import torch
from torch import nn

from cxr.records.op_record import find_first_difference
from cxr.training.op_trace import OpTrace, find_unrepeatable_op


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Sequential(nn.BatchNorm2d(2), nn.ReLU()), nn.Flatten()
    )


@pytest.fixture
def images():
    return torch.linspace(-1, 1, 2 * 5 * 5).reshape(2, 1, 5, 5)


def trace(run, **options):
    with OpTrace(**options) as found:
        run()
    return found


def test_each_op_is_named_with_its_pass_and_its_module(network, images):
    found = trace(lambda: network(images).sum().backward()).records
    named = {record.describe() for record in found}
    assert {
        "aten.convolution.default of 0",
        "aten.native_batch_norm.default of 1.0",
        "aten.relu.default of 1.1",
        "aten.sum.default",
        "aten.threshold_backward.default of 1.1 (backward)",
        "aten.native_batch_norm_backward.default of 1.0 (backward)",
        "aten.convolution_backward.default of 0 (backward)",
    } <= named


def test_the_same_ops_on_the_same_bits_have_the_same_records(network, images):
    network.eval()
    first, again = (trace(lambda: network(images)).records for _ in range(2))
    assert first == again
    assert find_first_difference(first, again) is None


@pytest.mark.parametrize("change", [lambda x: -x, lambda x: x.flip(0), lambda x: x + 1e-7])
def test_the_first_op_that_differs_is_found(network, images, change):
    def run(*, disturbed: bool):
        hidden = network[0](images)
        network[1](change(hidden) if disturbed else hidden.clone())

    usual, other = (trace(lambda d=d: run(disturbed=d)).records for d in (False, True))
    number = find_first_difference(usual, other)
    assert number == 1
    assert usual[0] == other[0]


def test_a_trace_that_goes_on_longer_differs_where_the_other_ends(network, images):
    long = trace(lambda: network.eval()(images)).records
    short = long[:2]
    assert find_first_difference(short, long) == find_first_difference(long, short) == len(short)


def test_what_is_written_in_place_counts_and_a_view_does_not():
    values = torch.zeros(4)
    found = trace(lambda: values.view(2, 2).t().add_(1.0))
    assert [record.op for record in found.records] == ["aten.add_.Tensor"]
    assert len(found.records[0].outputs) == 1


def test_memory_that_nobody_wrote_does_not_count():
    found = trace(lambda: torch.empty(8).fill_(0.0))
    assert [record.op for record in found.records] == ["aten.fill_.Scalar"]


def test_the_outputs_of_one_op_can_be_kept(network, images):
    found = trace(lambda: network(images), keep=0)
    [kept] = found.kept
    assert torch.equal(kept, network[0](images))


def test_tracing_changes_no_bits(network, images):
    def run():
        network.zero_grad()
        network(images).square().sum().backward()
        return [parameter.grad.clone() for parameter in network.parameters()]

    plain = run()
    with OpTrace():
        traced = run()
    assert all(torch.equal(a, b) for a, b in zip(plain, traced, strict=True))


class Jitter(nn.Module):
    """Adds what no flag of torch's knows of."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, values):
        self.calls += 1
        return values + self.calls


def test_an_op_that_does_not_repeat_is_found_by_running_again(network, images):
    network.eval()
    jittery = nn.Sequential(network, Jitter())
    found = find_unrepeatable_op(lambda: jittery(images), attempts=2)
    assert found is not None
    assert found.describe() == "aten.add.Tensor of 1"
    assert find_unrepeatable_op(lambda: network(images), attempts=2) is None
