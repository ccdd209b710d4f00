"""What is written in place where it is also read, or written twice."""

from __future__ import annotations

import pytest
import torch

from cxr.determinism.portable.mode import portable_arithmetic
from cxr.errors import DeterminismError

ROWS = torch.arange(12.0).reshape(3, 4)
SQUARE = torch.arange(16.0).reshape(4, 4)


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.view(-1).unfold(0, 3, 1).add_(1.0),
        lambda x: x.view(-1).unfold(0, 3, 1).sigmoid_(),
        lambda x: x.view(-1).unfold(0, 3, 1).copy_(torch.ones(14, 3)),
        lambda x: x.view(-1).as_strided((3, 3), (1, 1)).zero_(),
    ],
)
def test_writing_to_what_shares_its_own_memory_is_refused(write):
    with portable_arithmetic("a test"), pytest.raises(DeterminismError, match="share memory"):
        write(SQUARE.clone())


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.add_(x.t()),
        lambda x: x[:, :3].add_(x[:3].t()),
        lambda x: x[1:].mul_(x[:-1]),
        lambda x: x[1:, :3].copy_(x[:-1, :3]),
        lambda x: x[:, 1:].sub_(x[:, :-1]),
        lambda x: x.flip(0) is not None and x[0].addcmul_(x[:, 0], x[0]),
        lambda x: x[:, ::2].add_(x[:, 0:2]),
        lambda x: x[1:].copy_(x.view(torch.int32)[:-1]),
        lambda x: x.copy_(x.view(torch.int32)),
    ],
)
def test_writing_to_what_is_read_elsewhere_is_refused(write):
    with portable_arithmetic("a test"), pytest.raises(DeterminismError, match="also read as"):
        write(SQUARE.clone())


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.add_(x),
        lambda x: x.t().mul_(x.t()),
        lambda x: x[:, :2].add_(x[:, 2:]),
        lambda x: x[:, ::2].mul_(x[:, 1::2]),
        lambda x: x[:2].copy_(x[2:]),
        lambda x: x[1].add_(x[0]),
        lambda x: x[0, 0].add_(x[3, 3]),
        lambda x: x.add_(x.unsqueeze(0).squeeze(0)),
        lambda x: x.unfold(0, 2, 2).add_(1.0),
    ],
)
def test_what_is_apart_or_the_same_is_computed_as_ever(write):
    native, found = SQUARE.clone(), SQUARE.clone()
    write(native)
    with portable_arithmetic("a test"):
        write(found)
    assert torch.equal(found, native)


@pytest.mark.parametrize(
    "add",
    [
        lambda x, i: x.index_put_((i,), x, accumulate=True),
        lambda x, i: x.scatter_add_(0, i, x),
    ],
)
def test_what_is_added_to_itself_is_what_it_was_before(add):
    x = torch.tensor([1.0, 2.0, 3.0])
    with portable_arithmetic("a test"):
        add(x, torch.tensor([1, 2, 1]))
    assert x.tolist() == [1.0, 6.0, 5.0]


def test_a_product_of_one_factor_is_a_tensor_of_its_own():
    x = torch.full((1, 3), 2.0)
    with portable_arithmetic("a test"):
        for product in (x.prod(0), x.prod(0, keepdim=True), x[0, :1].prod()):
            product.add_(1.0)
    assert x.tolist() == [[2.0, 2.0, 2.0]]
