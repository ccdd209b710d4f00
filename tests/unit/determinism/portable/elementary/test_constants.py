"""The polynomials are computed anew: interpolation at Chebyshev nodes, with 40 digits."""

from __future__ import annotations

import mpmath as mp
import pytest

from cxr.determinism.portable.elementary import constants

mp.mp.prec = 200
ROOT_2 = mp.sqrt(2)


def two_to_fraction(f):
    return mp.mpf(2) ** f


def normal_tail(s):
    z = (1 / s - 1) * 4 / ROOT_2
    return mp.exp(z * z) * mp.erfc(z) / 2 / s


def erfc_scaled(s):
    z = (1 / s - 1) * 8 / 3
    return mp.exp(z * z) * mp.erfc(z) / s


def erf_small(w):
    return mp.erf(mp.sqrt(w)) / mp.sqrt(w) if w else 2 / mp.sqrt(mp.pi)


HALF = mp.mpf(1) / 2
# Function, interval and bound on the relative error that the constants' docstrings state.
FITS = [
    ("TWO_TO_FRACTION", two_to_fraction, -HALF, HALF, 5.6e-11),
    ("NORMAL_TAIL", normal_tail, mp.mpf(4) / 19, mp.mpf(1), 5.4e-11),
    ("ERFC_SCALED", erfc_scaled, mp.mpf(8) / 26, mp.mpf(8) / 11, 1e-16),
    ("ERF_SMALL", erf_small, mp.mpf(0), mp.mpf(1), 5e-17),
]


def interpolate(function, low, high, num):
    """Return coefficients by rising powers of the polynomial through ``num`` Chebyshev nodes."""
    nodes = [mp.cos(mp.pi * (2 * j + 1) / (2 * num)) for j in range(num)]
    nodes = [(low + high) / 2 + (high - low) / 2 * node for node in nodes]
    values = [function(node) for node in nodes]
    # Newton's divided differences, then expansion to powers.
    for order in range(1, num):
        for j in reversed(range(order, num)):
            values[j] = (values[j] - values[j - 1]) / (nodes[j] - nodes[j - order])
    found = [values[-1]]
    for j in reversed(range(num - 1)):
        shifted = [mp.mpf(0), *found]
        scaled = [nodes[j] * value for value in found] + [mp.mpf(0)]
        found = [a - b for a, b in zip(shifted, scaled, strict=True)]
        found[0] += values[j]
    return found


@pytest.mark.parametrize(("name", "function", "low", "high", "bound"), FITS)
def test_polynomials_are_the_interpolation_and_keep_their_bound(name, function, low, high, bound):
    literals = getattr(constants, name)
    anew = interpolate(function, low, high, len(literals))
    assert [float(value) for value in anew] == list(literals)
    for step in range(101):
        x = low + (high - low) * step / 100
        value = mp.polyval([mp.mpf(literal) for literal in reversed(literals)], x)
        assert abs(value / function(x) - 1) < bound


def test_other_constants_are_the_nearest_floats():
    assert list(constants.EXP_TAYLOR) == [float(1 / mp.factorial(k)) for k in range(2, 14)]
    assert float(1 / mp.log(2)) == constants.LOG2_E
    assert abs(mp.mpf(constants.LN2_HI) + mp.mpf(constants.LN2_LO) - mp.log(2)) < 2.0**-85
    assert (constants.LN2_HI * 2.0**33).is_integer()
    assert float(mp.log(2)) == constants.LN2
    assert float(mp.log(10)) == constants.LN10
    assert float(mp.sqrt(HALF)) == constants.HALF_ROOT
    assert float(1 / mp.sqrt(2 * mp.pi)) == constants.NORMAL_DENSITY
    with mp.workprec(400):
        assert int(mp.pi / 2 * mp.mpf(2) ** constants.HALF_PI_BITS) == constants.HALF_PI_SCALED
