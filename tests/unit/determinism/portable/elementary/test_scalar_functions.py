from __future__ import annotations

import math

import mpmath as mp
import pytest
import torch

from cxr.determinism.portable.elementary import functions, scalar_functions
from cxr.determinism.portable.elementary.scalar_functions import (
    cos,
    exp,
    expm1,
    log,
    log1p,
    power,
    sin,
)
from support.accuracy import draw_binades, find_worst_ulps

FEW = 500
TURNS = torch.tensor(
    [math.pi / 2 * n for n in range(1, 60)] + [math.pi * n / 200 for n in range(201)]
)
TURNS = torch.cat(
    [TURNS.double(), torch.tensor([math.pi / 2, 6381956970095103 * 2.0**-30]).double()]
)


@pytest.mark.parametrize(
    ("name", "exponents", "bound"),
    [
        ("exp", (-50, 10), 1.0),
        ("expm1", (-50, 10), 2.0),
        ("log", (-1022, 1023), 1.0),
        ("log", (-2, 2), 1.0),
        ("log1p", (-50, 50), 2.0),
        ("cos", (-50, 39), 1.0),
        ("sin", (-50, 39), 1.0),
    ],
)
def test_values_are_near_the_exact_ones(name, exponents, bound):
    x = draw_binades(FEW, *exponents)
    x = x.abs() if "log" in name else x[(x < 709) & (x > -700)] if "exp" in name else x
    x = torch.cat([x, TURNS]) if name in {"cos", "sin"} else x
    apply = getattr(scalar_functions, name)
    found = torch.tensor([apply(value) for value in x.tolist()], dtype=torch.float64)
    assert find_worst_ulps(found, getattr(mp, name), x) <= bound


@pytest.mark.parametrize(
    ("apply", "of_tensor", "exponents"),
    [
        (exp, functions.exp64, (-60, 11)),
        (expm1, functions.expm1_64, (-60, 11)),
        (log, functions.log64, (-1022, 1023)),
        (log1p, functions.log1p_64, (-60, 60)),
    ],
)
def test_they_agree_with_those_of_tensors_in_every_bit(apply, of_tensor, exponents):
    x = draw_binades(FEW, *exponents)
    x = x.abs() if apply in {log, log1p} else x
    found = torch.tensor([apply(value) for value in x.tolist()], dtype=torch.float64)
    assert torch.equal(found.view(torch.int64), of_tensor(x).view(torch.int64))


def test_powers_are_correctly_rounded():
    for base in (0.9, 0.999, 0.99999, -0.7, 1.5, math.pi, 1e-5, 1e300, 5e-324):
        for exponent in (0, 1, 2, 3, 10, 999, 12345, 10**6, -1, -3, -77):
            with mp.workprec(400):
                exact = mp.mpf(base) ** exponent
                beyond = abs(exact) >= mp.mpf(2) ** 1024
                wanted = math.copysign(math.inf, exact) if beyond else round_to_float(exact)
            assert power(base, exponent) == wanted, (base, exponent)


def round_to_float(exact: mp.mpf) -> float:
    """Round once, also where floats are subnormal: Python's quotient of integers does."""
    sign, mantissa, exponent, _ = exact._mpf_
    mantissa = -int(mantissa) if sign else int(mantissa)
    if mantissa == 0 or exponent < -5000:
        return 0.0
    return float(mantissa * 2**exponent) if exponent >= 0 else mantissa / 2**-exponent


def test_special_values():
    nan = math.nan
    assert all(math.isnan(apply(nan)) for apply in (exp, expm1, log, log1p))
    assert [exp(x) for x in (0.0, -math.inf, math.inf, 710.0)] == [1, 0, math.inf, math.inf]
    assert exp(-746.0) == 0
    assert [expm1(x) for x in (-math.inf, math.inf)] == [-1, math.inf]
    assert log(math.inf) == log1p(math.inf) == math.inf
    assert math.copysign(1, log1p(-0.0)) == math.copysign(1, expm1(-0.0)) == -1
    assert [power(0.0, 3), power(-0.0, 2), power(0.0, 0)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: log(0.0), ValueError),
        (lambda: log1p(-1.0), ValueError),
        (lambda: cos(math.inf), ValueError),
        (lambda: sin(2.0**41), ValueError),
        (lambda: power(math.nan, 2), ValueError),
        (lambda: power(0.0, -1), ZeroDivisionError),
    ],
)
def test_what_has_no_value_is_refused(call, error):
    with pytest.raises(error):
        call()
