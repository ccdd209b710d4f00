from __future__ import annotations

import pytest
import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.ops.scattering import REPLACED

# Their float32 sum depends on the order: the big ones cancel only where they meet.
VALUES = torch.tensor([1.0, 2.0**24, 1.0, -(2.0**24), 3.0, 1.0])
PLACES = torch.tensor([2, 2, 0, 2, 0, 2])


def test_elements_of_one_place_are_added_in_their_order():
    add = REPLACED["aten.scatter_add.default"]
    # 1 is lost in 2^24, which goes; then the last 1 comes.
    assert add(torch.zeros(3), 0, PLACES, VALUES).tolist() == [4.0, 0.0, 1.0]
    order = torch.tensor([0, 5, 2, 4, 1, 3])
    assert add(torch.zeros(3), 0, PLACES[order], VALUES[order]).tolist() == [4.0, 0.0, 2.0]


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("transposed", [False, True])
def test_elements_are_added_where_torch_adds_them(dim, transposed):
    target = torch.arange(60.0).reshape(5, 4, 3)
    target = target.transpose(0, 1).contiguous().transpose(0, 1) if transposed else target
    index = torch.tensor([[[0, 1], [2, 2]], [[1, 1], [0, 2]]])
    source = torch.arange(27.0).reshape(3, 3, 3)
    expected = target.scatter_add(dim, index, source)
    assert torch.equal(REPLACED["aten.scatter_add.default"](target, dim, index, source), expected)
    assert REPLACED["aten.scatter_add_.default"](target, dim, index, source) is target
    assert torch.equal(target, expected)
    empty = index[:0]
    assert torch.equal(REPLACED["aten.scatter_add.default"](target, dim, empty, source), target)


def test_what_is_put_may_not_meet():
    put, put_in_place = REPLACED["aten.scatter.src"], REPLACED["aten.scatter_.src"]
    target, source = torch.zeros(2, 3), torch.arange(6.0).reshape(2, 3)
    apart = torch.tensor([[2, 0], [1, 2]])
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.0, 3.0, 4.0]])
    assert torch.equal(put(target, 1, apart, source), expected)
    assert torch.equal(put_in_place(target.clone(), 1, apart, source), expected)
    single = torch.tensor([[2], [2]])
    assert put(target, 1, single, source).tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]]
    for call in (put, put_in_place):
        with pytest.raises(UnsupportedError, match="one place"):
            call(target, 1, torch.tensor([[2, 2], [1, 0]]), source)
        with pytest.raises(UnsupportedError, match="one place"):
            call(target, 0, torch.tensor([[1, 0], [1, 1]]), source)
    same = REPLACED["aten.scatter.value"](target, 1, torch.tensor([[2, 2]]), 7.0)
    assert same.tolist() == [[0.0, 0.0, 7.0], [0.0, 0.0, 0.0]]
