from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from cxr.determinism.portable.errors import NotFiniteError
from cxr.determinism.portable.trees import blocks, sums
from support.fixed_numbers import draw_fixed as draw


def sum_by_definition(values):
    """Return the tree's sum of a list of tensors, one plain addition at a time."""
    values = list(values)
    while len(values) > 1:
        lower = (len(values) + 1) // 2
        high = values[lower:]
        values = [
            low + high[place] if place < len(high) else low
            for place, low in enumerate(values[:lower])
        ]
    return values[0]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_ELEMENTS", 64)


LAYOUTS = {
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(1, 3).contiguous().transpose(1, 3),
    "every second": lambda x: torch.stack([x, -x], dim=-1)[..., 0],
    "reversed order": lambda x: x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
}


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 8, 33, 100])
@pytest.mark.parametrize("dim", [0, 1])
def test_the_graph_is_the_one_that_is_described(length, dim):
    x = draw(length, 9).movedim(0, dim)
    assert torch.equal(sums.sum_tree(x, [dim]), sum_by_definition(x.unbind(dim)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("add", [sums.sum_tree, sums.sum_tree_wide])
def test_layout_and_blocks_change_no_bit(layout, add, monkeypatch):
    x = draw(5, 6, 7, 11)
    for dims in ((0, 2, 3), (3,), (1, 2), (3, 0), (0, 1, 2, 3), ()):
        whole = add(x, dims)
        assert torch.equal(add(LAYOUTS[layout](x), dims), whole)
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "BLOCK_ELEMENTS", 64)
            assert torch.equal(add(LAYOUTS[layout](x), dims), whole)


@pytest.mark.usefixtures("small_blocks")
def test_expanded_and_unexpanded_inputs_give_the_same_bits():
    x = draw(5, 1, 7, 1).expand(5, 6, 7, 11)
    for dims in ((0, 2, 3), (3,), (1, 2)):
        assert torch.equal(sums.sum_tree_wide(x, dims), sums.sum_tree_wide(x.clone(), dims))


@pytest.mark.usefixtures("small_blocks")
def test_the_input_is_left_as_it_was():
    x = draw(9, 30, 4)
    before = x.clone()
    sums.sum_tree_wide(x, (0, 1))
    sums.sum_tree(x.double(), (2,))
    assert torch.equal(x, before)


@pytest.mark.usefixtures("small_blocks")
def test_values_of_blocks_add_up_as_whole_values_do():
    x, y = draw(6, 5, 40), draw(6, 5, 40, seed=1)
    plain, product = sums.sum_blocks(lambda a, b: (a, a * b), (x, y), (0, 2), num_sums=2)
    assert torch.equal(plain, sums.sum_tree_wide(x, (0, 2), keepdim=True))
    assert torch.equal(product, sums.sum_tree_wide(x * y, (0, 2), keepdim=True))


@pytest.mark.parametrize(
    "values",
    [
        draw(3000),
        torch.cat([draw(1500), -draw(1500)]),
        draw(999) * 2.0**-146,
        draw(999) * 2.0**112,
        torch.cat([torch.tensor([1e30]), draw(500), torch.tensor([-1e30])]),
    ],
    ids=["mixed", "cancelling", "subnormal", "huge", "spiked"],
)
def test_errors_are_within_the_bounds(values):
    exact = sum(map(Fraction, values.tolist()))
    size = sum(map(Fraction, values.abs().tolist()))
    unit = Fraction(1, 2**24)
    wide = Fraction(sums.sum_tree_wide(values, (0,)).item())
    assert abs(wide - exact) <= sums.FLOAT32_LEVELS * unit * size
    plain = Fraction(sums.sum_tree(values, (0,)).item())
    assert abs(plain - exact) <= sums.count_levels(len(values)) * unit * size


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_sums_of_nothing_are_zero(shape):
    x = torch.zeros(shape)
    assert torch.equal(sums.sum_tree(x, (0,)), torch.zeros(shape[1]))
    assert torch.equal(sums.sum_tree_wide(x, (0, 1)), torch.zeros((), dtype=torch.float64))


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan")])
def test_a_value_that_is_not_finite_shows_in_the_sum(value):
    x = draw(40)
    x[17] = value
    with pytest.raises(NotFiniteError, match="loss"):
        sums.refuse_not_finite(sums.sum_tree_wide(x, (0,)), "loss")
