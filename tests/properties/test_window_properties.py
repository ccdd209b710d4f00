"""Windows are exact: every byte is the fraction rounded half up, whatever the numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxr.data.decoding.ramp import Ramp, Rescale, level_floats, level_integers
from cxr.data.decoding.window import Window, find_percentiles

DECIMALS = st.decimals(-100_000, 100_000, places=4).map(Fraction)
SLOPES = st.one_of(
    DECIMALS.filter(bool), st.sampled_from([Fraction(1), Fraction(-1), Fraction("1e-30")])
)
DTYPES = st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32])


def round_exactly(value, low, high):
    """Return the byte of a value, by the formula of the documentation."""
    if low == high:
        return 255 if value > high else 0
    level = math.floor(255 * (value - low) / (high - low) + Fraction(1, 2))
    return max(0, min(255, level))


@st.composite
def ramps(draw):
    low, width = draw(DECIMALS), draw(DECIMALS)
    return Ramp(low=low, high=low + abs(width))


@given(st.data(), DTYPES, ramps(), SLOPES, DECIMALS)
def test_stored_values_become_their_exact_bytes(data, dtype, ramp, slope, intercept):
    ends = np.iinfo(dtype)
    rescale = Rescale(slope=slope, intercept=intercept)
    # Values near a threshold are where rounding goes wrong.
    near = [round((begin - intercept) / slope) for begin in (ramp.low, *ramp.list_levels()[::50])]
    given_values = data.draw(st.lists(st.integers(int(ends.min), int(ends.max)), min_size=1))
    values = [
        min(max(value + step, int(ends.min)), int(ends.max))
        for value in (*given_values, *near)
        for step in (-1, 0, 1)
    ]
    found = level_integers(np.array(values, dtype=dtype), ramp, rescale)
    wanted = [round_exactly(slope * value + intercept, ramp.low, ramp.high) for value in values]
    assert found.dtype == np.uint8
    assert found.tolist() == wanted


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1), ramps())
def test_floating_point_values_become_their_exact_bytes(values, ramp):
    thresholds = [float(begin) for begin in ramp.list_levels()[::40]]
    tried = [
        near
        for value in (*values, *thresholds)
        for near in (value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf))
    ]
    wanted = [round_exactly(Fraction(value), ramp.low, ramp.high) for value in tried]
    assert level_floats(np.array(tried, dtype=np.float64), ramp).tolist() == wanted


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=200), st.floats(0, 100), st.floats(0, 100)
)
def test_a_percentile_is_the_least_value_that_enough_pixels_do_not_exceed(pixels, first, second):
    low, high = sorted((first, second))
    values, counts = np.unique(pixels, return_counts=True)
    window = Window(kind="percentile", low=low, high=high)
    ramp = find_percentiles(window, values.tolist(), counts.tolist())
    for percent, found in ((low, ramp.low), (high, ramp.high)):
        share = Fraction(repr(percent)) * len(pixels) / 100
        enough = [value for value in values if sum(p <= value for p in pixels) >= share]
        assert found == min(enough)


def test_a_half_is_rounded_up():
    # From 0 to 510, 255 * 1 / 510 is a half.
    found = level_integers(
        np.array([0, 1, 2, 3], dtype=np.uint8), Ramp(low=Fraction(0), high=Fraction(510)), Rescale()
    )
    assert found.tolist() == [0, 1, 1, 2]
