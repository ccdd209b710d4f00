from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.statistics.seeds import describe_seeds
from properties.strategies import examples


def test_a_worked_example():
    # Of 4.1, 4.4, 4.6, 4.7, 5.2: mean 4.6, s 0.4062; t of 4 degrees of freedom 2.7764.
    found = describe_seeds([4.1, 4.4, 4.6, 4.7, 5.2], root=0)
    assert found.mean == 4.6
    assert round(found.std, 4) == 0.4062
    assert round(found.student.low, 4) == 4.0956
    assert round(found.student.high, 4) == 5.1044
    assert (found.num, found.least, found.most) == (5, 4.1, 5.2)
    assert found.bootstrap.low < 4.6 < found.bootstrap.high
    assert found.bootstrap.replicates == 2000


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.0, -1e300, 5e-324])
@pytest.mark.parametrize("num", [2, 3, 7])
def test_equal_values_have_no_width_at_all(value, num):
    found = describe_seeds([value] * num, root=0)
    assert (found.mean, found.std) == (value, 0.0)
    assert (found.student.low, found.student.high) == (value, value)
    assert found.bootstrap.width == (0.0 if num > 4 else None)


def test_one_value_has_no_spread_and_none_has_no_mean():
    one = describe_seeds([0.5, None], root=0)
    assert (one.num, one.mean, one.std, one.student.low, one.bootstrap.low) == (
        1,
        0.5,
        None,
        None,
        None,
    )
    none = describe_seeds([None], root=0)
    assert (none.num, none.mean, none.least, none.student.estimate) == (0, None, None, None)


@given(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=9), st.randoms(use_true_random=False))
@examples(max_examples=25)
def test_the_order_of_seeds_does_not_matter_and_means_are_exactly_rounded(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    found = describe_seeds(values, root=4, replicates=100)
    assert describe_seeds(shuffled, root=4, replicates=100) == found
    assert found.mean == statistics.mean(values)
    assert math.isclose(found.std, statistics.stdev(values))


def test_the_bootstrap_is_over_seeds():
    few = describe_seeds([0.0, 1.0, 2.0, 3.0, 4.0], root=0).bootstrap
    many = describe_seeds([0.0, 1.0, 2.0, 3.0, 4.0] * 20, root=0).bootstrap
    assert 0 < many.width < few.width / 3


def test_of_four_seeds_there_is_no_bootstrap_and_of_few_resamples_another_reason():
    four = describe_seeds([0.0, 1.0, 2.0, 3.0], root=0, replicates=20_000).bootstrap
    assert (four.low, four.reason) == (None, "too few patients or seeds")
    eight = describe_seeds(list(map(float, range(8))), root=0, replicates=20).bootstrap
    assert (eight.low, eight.reason) == (None, "too few resamples")
