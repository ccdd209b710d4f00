from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from cxr.statistics.intervals import derive_bca_interval
from cxr.statistics.quantiles import normal_probability, normal_quantile, student_quantile

COUNTED = [float(value) for value in range(1, 2001)]


def test_ends_are_order_statistics_and_for_many_units_the_usual_ones():
    found = derive_bca_interval(1000.5, COUNTED[::-1], [], num_units=10**9)
    # 2.5 % of 2001 is 50.025.
    assert (found.low, found.high) == (50.0, 1951.0)
    assert (found.replicates, found.dropped, found.width) == (2000, 0, 1901.0)


@pytest.mark.parametrize(("num_units", "rank"), [(5, 1), (10, 17), (20, 31), (100, 46)])
def test_few_units_widen_the_interval(num_units, rank):
    # Phi(-sqrt(n / (n - 1)) t); of 5 units 0.00095, times 2001.
    found = derive_bca_interval(1000.5, COUNTED, [], num_units=num_units)
    assert (found.low, found.high) == (rank, 2001 - rank)


@pytest.mark.parametrize("num_units", [1, 2, 3, 4])
@pytest.mark.parametrize("times", [1, 100])
def test_an_interval_of_fewer_than_five_units_is_undefined_however_many_resamples(num_units, times):
    found = derive_bca_interval(1000.5, COUNTED * times, [], num_units=num_units)
    assert (found.estimate, found.low, found.high, found.width) == (1000.5, None, None, None)
    assert found.reason == "too few patients or seeds"


def test_a_figure_that_counts_fewer_than_five_of_many_units_has_no_interval_either():
    found = [
        derive_bca_interval(1000.5, COUNTED, [], num_units=100, num_counted=num).reason
        for num in (4, 5)
    ]
    assert found == ["too few patients or seeds", None]


def test_ends_move_with_bias_and_skewness_as_in_the_formula():
    left_out = [0.0] * 99 + [-1.0]
    found = derive_bca_interval(800.5, COUNTED, left_out, num_units=100)
    normal = NormalDist()
    reach = (100 / 99) ** 0.5 * 1.984216952
    influences = [-0.01 - value for value in left_out]
    skew = sum(one**3 for one in influences) / sum(one**2 for one in influences) ** 1.5 / 6
    bias = normal.inv_cdf(0.4)
    ends = [normal.cdf(bias + (bias + q) / (1 - skew * (bias + q))) * 2001 for q in (-reach, reach)]
    assert (found.low, found.high) == (math.floor(ends[0]), math.ceil(ends[1]))


def test_some_of_many_units_have_the_acceleration_of_them_all():
    left_out = [0.0] * 990 + [-1.0] * 10
    every, some = (
        derive_bca_interval(1000.5, COUNTED, chosen, num_units=1000)
        for chosen in (left_out, left_out[::5])
    )
    assert (every.low, every.high) == (some.low, some.high)


def test_an_end_is_never_beyond_the_replicates():
    assert derive_bca_interval(100.0, COUNTED, [], num_units=100).low == 1.0
    assert derive_bca_interval(1901.0, COUNTED, [], num_units=100).high == 2000.0


@pytest.mark.parametrize("estimate", [0.5, 2000.5])
def test_an_interval_that_would_not_hold_the_estimate_is_none(estimate):
    found = derive_bca_interval(estimate, COUNTED, [], num_units=100)
    assert (found.low, found.high) == (None, None)
    assert found.reason == "resamples lie to one side of the figure"


def test_too_few_replicates_have_no_ends():
    found = derive_bca_interval(15.5, COUNTED[:30], [], num_units=100)
    assert (found.low, found.reason) == (None, "too few resamples")
    assert derive_bca_interval(25.5, COUNTED[:50], [], num_units=100).low == 1.0


@pytest.mark.parametrize(("num_undefined", "is_defined"), [(0, True), (100, True), (101, False)])
def test_undefined_replicates_are_dropped_and_counted_up_to_a_share(num_undefined, is_defined):
    values = [0.5] * (2000 - num_undefined) + [math.nan] * num_undefined
    found = derive_bca_interval(0.5, values, [], num_units=100)
    assert found.dropped == num_undefined
    assert found.replicates == 2000 - num_undefined
    assert (found.low is not None) is is_defined
    assert found.estimate == 0.5


def test_an_undefined_estimate_has_no_interval():
    found = derive_bca_interval(None, [0.5] * 2000, [], num_units=100)
    assert (found.estimate, found.low, found.high) == (None, None, None)
    assert found.to_json()["low"] is None


def test_quantiles_are_those_of_the_tables():
    assert round(student_quantile(0.975, 4), 4) == 2.7764
    assert round(student_quantile(0.975, 1), 3) == 12.706
    assert round(normal_quantile(0.975), 6) == 1.959964
    assert round(normal_probability(-1.959964), 6) == 0.025
