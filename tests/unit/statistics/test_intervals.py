from __future__ import annotations

import math

import pytest

from cxr.statistics.intervals import derive_percentile_interval
from cxr.statistics.quantiles import normal_probability, normal_quantile, student_quantile


def test_ends_are_order_statistics_and_for_many_units_the_usual_ones():
    values = [float(value) for value in range(1, 2001)]
    found = derive_percentile_interval(1000.0, values[::-1], num_units=10**9)
    # 2.5 % of 2001 is 50.025.
    assert (found.low, found.high) == (50.0, 1951.0)
    assert (found.replicates, found.dropped, found.width) == (2000, 0, 1901.0)


@pytest.mark.parametrize(("num_units", "rank"), [(5, 1), (10, 17), (20, 31), (100, 46)])
def test_few_units_widen_the_interval(num_units, rank):
    # Phi(-sqrt(n / (n - 1)) t) of n units; for 5: 0.00095, as Hesterberg's table has it.
    found = derive_percentile_interval(
        0.0, [float(value) for value in range(2000)], num_units=num_units
    )
    assert found.low == rank - 1
    assert found.high == 2000 - rank


def test_an_interval_of_one_unit_is_undefined():
    found = derive_percentile_interval(1.0, [1.0] * 2000, num_units=1)
    assert (found.estimate, found.low, found.high, found.width) == (1.0, None, None, None)


def test_too_few_replicates_have_no_ends():
    values = [float(value) for value in range(30)]
    assert derive_percentile_interval(1.0, values, num_units=100).low is None
    assert derive_percentile_interval(1.0, values * 2, num_units=100).low == 0.0


@pytest.mark.parametrize(("num_undefined", "is_defined"), [(0, True), (100, True), (101, False)])
def test_undefined_replicates_are_dropped_and_counted_up_to_a_share(num_undefined, is_defined):
    values = [0.5] * (2000 - num_undefined) + [math.nan] * num_undefined
    found = derive_percentile_interval(0.5, values, num_units=100)
    assert found.dropped == num_undefined
    assert found.replicates == 2000 - num_undefined
    assert (found.low is not None) is is_defined
    assert found.estimate == 0.5


def test_an_undefined_estimate_has_no_interval():
    found = derive_percentile_interval(None, [0.5] * 2000, num_units=100)
    assert (found.estimate, found.low, found.high) == (None, None, None)
    assert found.to_json()["low"] is None


def test_quantiles_are_those_of_the_tables():
    assert round(student_quantile(0.975, 4), 4) == 2.7764
    assert round(student_quantile(0.975, 1), 3) == 12.706
    assert round(normal_quantile(0.975), 6) == 1.959964
    assert round(normal_probability(-1.959964), 6) == 0.025
