from __future__ import annotations

import pytest
import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.mode import portable_arithmetic
from cxr.determinism.portable.ops import gathering

# Their float32 sum depends on the order: the big ones cancel only where they meet.
ROWS = torch.tensor([[1.0], [2.0**24], [1.0], [-(2.0**24)], [3.0], [1.0]])
PLACES = torch.tensor([2, 2, 0, 2, 0, 2])


def test_rows_of_one_place_are_added_in_their_order():
    found = gathering.add_rows(torch.zeros(3, 1), PLACES, ROWS)
    # 1 is lost in 2^24, which goes; then the last 1 comes.
    assert found.tolist() == [[4.0], [0.0], [1.0]]
    # In another order two of them are added before they can be lost.
    order = torch.tensor([0, 5, 2, 4, 1, 3])
    other = gathering.add_rows(torch.zeros(3, 1), PLACES[order], ROWS[order])
    assert other.tolist() == [[4.0], [0.0], [2.0]]


def test_a_round_has_each_place_once():
    seen = [numbers.tolist() for numbers in gathering.iterate_rounds(PLACES)]
    assert seen == [[2, 0], [4, 1], [3], [5]]
    assert list(gathering.iterate_rounds(PLACES[:0])) == []


def test_values_are_added_where_several_indices_point():
    target = torch.zeros(2, 3, 2)
    indices = [torch.tensor([[0, 1], [0, -1]]), torch.tensor([[2, 0], [-1, 0]])]
    values = torch.tensor([1.0, 10.0])
    found = gathering.index_put(target, indices, values, accumulate=True)
    expected = target.index_put(tuple(indices), values, accumulate=True)
    assert torch.equal(found, expected)
    assert not target.any()
    assert gathering.index_put_(target, indices, values, accumulate=True) is target
    assert torch.equal(target, expected)


def test_a_table_that_is_not_contiguous_is_written_all_the_same():
    target = torch.zeros(2, 3).T
    gathering.index_put_(target, [torch.tensor([1, 1])], torch.ones(2, 2), accumulate=True)
    assert target.tolist() == [[0.0, 0.0], [2.0, 2.0], [0.0, 0.0]]


def test_a_mask_and_single_places_are_put():
    target = torch.arange(4.0)
    mask = torch.tensor([True, False, False, True])
    assert gathering.index_put(target, [mask], torch.tensor(9.0)).tolist() == [9.0, 1.0, 2.0, 9.0]
    found = gathering.index_put(target, [torch.tensor([2, 0])], torch.tensor([7.0, 8.0]))
    assert found.tolist() == [8.0, 1.0, 7.0, 3.0]
    with pytest.raises(UnsupportedError, match="one place"):
        gathering.index_put(target, [torch.tensor([2, 2])], torch.tensor([7.0, 8.0]))


def test_axes_that_are_taken_whole_may_stand_before_and_between_indices():
    twice = torch.tensor([1, 1, 0])
    for indices in ([None, twice], [None, twice, twice], [twice, None, twice], [twice, twice]):
        target = torch.arange(24.0).reshape(2, 3, 4)
        chosen = target[tuple(slice(None) if one is None else one for one in indices)]
        values = torch.arange(float(chosen.numel())).reshape(chosen.shape)
        expected = torch.ops.aten.index_put(target, indices, values, True)
        assert torch.equal(gathering.index_put(target, indices, values, accumulate=True), expected)
        assert gathering.index_put_(target, indices, values, accumulate=True) is target
        assert torch.equal(target, expected)


def test_values_are_added_by_a_mask():
    mask = torch.tensor([[True, False, True], [False, True, False]])
    for indices in ([mask], [None, mask]):
        target = torch.arange(6.0).reshape(2, 3) if len(indices) == 1 else torch.ones(4, 2, 3)
        values = torch.tensor([1.0, 2.0, 3.0])
        expected = torch.ops.aten.index_put(target, indices, values, True)
        assert torch.equal(gathering.index_put(target, indices, values, accumulate=True), expected)


@pytest.mark.filterwarnings("ignore:indexing with dtype torch.uint8")
@pytest.mark.parametrize("before", [[], [None]])
def test_a_mask_of_bytes_is_a_mask(before):
    mask = torch.tensor([1, 0, 2], dtype=torch.uint8)
    target = torch.ones(3, 2) if not before else torch.ones(2, 3)
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    for accumulate in (False, True):
        expected = torch.ops.aten.index_put(target, [*before, mask], values, accumulate)
        found = gathering.index_put(target, [*before, mask], values, accumulate=accumulate)
        assert torch.equal(found, expected)


@pytest.mark.filterwarnings("ignore:indexing with dtype torch.uint8")
def test_the_gradient_of_rows_that_bytes_choose():
    weight = torch.ones(3, 2, requires_grad=True)
    with portable_arithmetic("a test"):
        chosen = weight[torch.ones(3, dtype=torch.uint8)]
        (chosen * torch.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    assert weight.grad.tolist() == [[1.0, 1.0], [10.0, 10.0], [100.0, 100.0]]


def test_values_are_put_by_a_mask_behind_an_axis_taken_whole():
    target, mask = torch.zeros(2, 3), torch.tensor([True, False, True])
    with portable_arithmetic("a test"):
        target[:, mask] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert target.tolist() == [[1.0, 0.0, 2.0], [3.0, 0.0, 4.0]]


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8])
def test_a_mask_beside_an_index_may_repeat_a_place(kind):
    # Its one row is taken for each of the index.
    row = torch.tensor([0, 1], dtype=kind)
    values = torch.tensor([7.0, 8.0])
    target = torch.zeros(2, 3)
    with pytest.raises(UnsupportedError, match="one place"):
        gathering.index_put(target, [row, torch.tensor([2, 2])], values)
    found = gathering.index_put(target, [row, torch.tensor([2, -3])], values)
    assert found.tolist() == [[0.0, 0.0, 0.0], [8.0, 0.0, 7.0]]
    # One value is the same, whoever comes last.
    found = gathering.index_put(target, [torch.tensor([1, 1]), torch.tensor([2, 2])], values[:1])
    assert found.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 7.0]]


def test_indices_that_do_not_fit_are_refused():
    target, values = torch.zeros(2, 3), torch.tensor([7.0, 8.0])
    rows = torch.tensor([0, 0])
    for columns in (torch.tensor([0, 3]), torch.tensor([-4, 0])):
        with pytest.raises(UnsupportedError, match="outside its axis"):
            gathering.index_put(target, [rows, columns], values)
    longer = torch.tensor([True, False, False])
    with pytest.raises(UnsupportedError, match="another shape"):
        gathering.index_put(target, [longer, torch.tensor([0, 1])], values)


def test_rows_of_one_place_are_added_in_their_order_behind_an_axis_taken_whole():
    found = gathering.index_put(torch.zeros(2, 3), [None, PLACES], ROWS.T, accumulate=True)
    assert found.tolist() == [[4.0, 0.0, 1.0]] * 2


def test_gradients_of_embeddings_and_of_selected_slices():
    grad = torch.arange(12.0).reshape(2, 3, 2)
    indices = torch.tensor([[0, 3, 0], [3, 3, 1]])
    found = gathering.embedding_backward(grad, indices, 4, -1, scale_grad_by_freq=False)
    expected = torch.zeros(4, 2).index_add(0, indices.reshape(-1), grad.reshape(-1, 2))
    assert torch.equal(found, expected)
    with pytest.raises(UnsupportedError, match="padding"):
        gathering.embedding_backward(grad, indices, 4, 0, scale_grad_by_freq=False)
    added = gathering.index_add(torch.ones(2, 4), 1, torch.tensor([3, 3]), torch.ones(2, 2))
    assert added.tolist() == [[1.0, 1.0, 1.0, 3.0]] * 2
    with pytest.raises(UnsupportedError, match="alpha"):
        gathering.index_add(torch.ones(1), 0, torch.tensor([0]), torch.ones(1), alpha=2)
