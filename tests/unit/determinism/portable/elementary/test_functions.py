from __future__ import annotations

import math

import mpmath as mp
import pytest
import torch

from cxr.determinism.portable.elementary import exponentials, functions
from cxr.determinism.portable.elementary.functions import REPLACED
from cxr.determinism.portable.errors import UnsupportedError
from support.accuracy import draw_binades, draw_float32, find_worst_ulps, same_bits

INF, NAN = math.inf, math.nan
FEW = 400


def logistic(x):
    return 1 / (1 + mp.exp(-x))


# float64 function, its value, exponents of its arguments, their range, bound in ulp.
PRECISE = [
    ("exp64", mp.exp, (-60, 10), (-740, 720), 1.0),
    ("expm1_64", mp.expm1, (-60, 10), (-INF, 720), 2.0),
    ("log64", mp.log, (-1022, 1023), (0, INF), 1.0),
    ("log64", mp.log, (-2, 2), (0, INF), 1.0),
    ("log1p_64", mp.log1p, (-60, 60), (-0.999, INF), 2.0),
    ("log1p_64", mp.log1p, (-3, 1), (-0.999, INF), 2.0),
    ("tanh64", mp.tanh, (-60, 6), (-INF, INF), 3.0),
    ("sigmoid64", logistic, (-10, 9), (-INF, INF), 3.0),
    ("erf64", mp.erf, (-60, 4), (-INF, INF), 2.0),
    ("erf64", mp.erf, (-2, 2), (-INF, INF), 2.0),
    ("erfinv64", mp.erfinv, (-20, 0), (-INF, INF), 8.0),
    ("rsqrt64", lambda x: 1 / mp.sqrt(x), (-1000, 1000), (0, INF), 1.5),
]


@pytest.mark.parametrize(("name", "exact", "exponents", "limits", "bound"), PRECISE)
def test_float64_is_near_the_exact_value(name, exact, exponents, limits, bound):
    x = draw_binades(FEW if name != "erfinv64" else 60, *exponents)
    x = x[(x > limits[0]) & (x < limits[1])]
    assert find_worst_ulps(getattr(functions, name)(x), exact, x) <= bound


# float32 op, its value, exponents of its arguments, whether negative ones are taken.
SINGLE = [
    ("exp", mp.exp, (-30, 7), True),
    ("exp2", lambda x: mp.mpf(2) ** x, (-30, 8), True),
    ("expm1", mp.expm1, (-140, 7), True),
    ("log", mp.log, (-149, 128), False),
    ("log2", lambda x: mp.log(x, 2), (-149, 128), False),
    ("log10", mp.log10, (-149, 128), False),
    ("log1p", mp.log1p, (-149, 128), False),
    ("sigmoid", logistic, (-30, 7), True),
    ("tanh", mp.tanh, (-149, 6), True),
    ("erf", mp.erf, (-140, 4), True),
    ("sqrt", mp.sqrt, (-149, 128), False),
    ("rsqrt", lambda x: 1 / mp.sqrt(x), (-149, 128), False),
    ("reciprocal", lambda x: 1 / x, (-149, 128), True),
]


@pytest.mark.parametrize(("name", "exact", "exponents", "negative"), SINGLE)
def test_float32_is_all_but_correctly_rounded(name, exact, exponents, negative):
    x = draw_float32(FEW, *exponents)
    x = x if negative else x.abs()
    assert find_worst_ulps(getattr(functions, name)(x), exact, x) <= 0.501


@pytest.mark.parametrize(
    ("constants", "name", "exact"),
    [("TWO_TO_FRACTION", "exp", mp.exp), ("EXP_TAYLOR", "expm1_64", mp.expm1)],
)
def test_a_polynomial_with_a_term_too_few_is_noticed(monkeypatch, constants, name, exact):
    whole = getattr(exponentials, constants)
    monkeypatch.setattr(exponentials, constants, whole[:-2])
    x = draw_binades(FEW, -3, 3) if name.endswith("64") else draw_float32(FEW, -3, 3)
    assert find_worst_ulps(getattr(functions, name)(x), exact, x) > 2.0


@pytest.mark.parametrize("exponent", [0.5, -0.5, 1.5, 2, 3, -2, 7, 64, 0.3, -0.7, 100.0])
def test_a_power_is_all_but_correctly_rounded(exponent):
    x = draw_float32(FEW, -1, 2).abs()
    found = REPLACED["aten.pow.Tensor_Scalar"](x, exponent)
    assert find_worst_ulps(found, lambda v: v ** mp.mpf(exponent), x) <= 0.501
    several = torch.full_like(x, exponent)
    by_tensor = REPLACED["aten.pow.Tensor_Tensor"](x, several)
    assert find_worst_ulps(by_tensor, lambda v, e: v**e, x, several) <= 0.501


SPECIAL = torch.tensor([0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, 200.0, -200.0])
LIMITS = {
    "exp": [1, 1, INF, 0, NAN, math.e, 1 / math.e, INF, 0],
    "expm1": [0.0, -0.0, INF, -1, NAN, math.expm1(1), math.expm1(-1), INF, -1],
    "log": [-INF, -INF, INF, NAN, NAN, 0.0, NAN, math.log(200), NAN],
    "log1p": [0.0, -0.0, INF, NAN, NAN, math.log(2), -INF, math.log(201), NAN],
    "sigmoid": [0.5, 0.5, 1, 0, NAN, 0.7310585786300049, 0.2689414213699951, 1, 0],
    "tanh": [0.0, -0.0, 1, -1, NAN, math.tanh(1), math.tanh(-1), 1, -1],
    "erf": [0.0, -0.0, 1, -1, NAN, math.erf(1), math.erf(-1), 1, -1],
    "erfinv": [0.0, -0.0, NAN, NAN, NAN, INF, -INF, NAN, NAN],
    "sqrt": [0.0, -0.0, INF, NAN, NAN, 1, NAN, math.sqrt(200), NAN],
    "rsqrt": [INF, -INF, 0, NAN, NAN, 1, NAN, 1 / math.sqrt(200), NAN],
    "reciprocal": [INF, -INF, 0.0, -0.0, NAN, 1, -1, 0.005, -0.005],
}


@pytest.mark.parametrize("name", LIMITS)
def test_special_values_are_ieee_754s(name):
    assert same_bits(getattr(functions, name)(SPECIAL), torch.tensor(LIMITS[name]))
    in_place = SPECIAL.clone()
    assert REPLACED[f"aten.{name}_.default"](in_place) is in_place
    assert same_bits(in_place, torch.tensor(LIMITS[name]))


def test_special_powers_are_ieee_754s():
    sides = torch.tensor([0.0, -0.0, INF, -INF, NAN, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 1.5])
    x, y = (side.flatten() for side in torch.meshgrid(sides, sides, indexing="ij"))

    def wanted(base, exponent):
        try:
            return math.pow(base, exponent)
        except ValueError:
            if base == 0:
                return math.copysign(INF, base) if exponent in {-1, -3} else INF
            return NAN

    expected = torch.tensor([wanted(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)])
    assert same_bits(REPLACED["aten.pow.Tensor_Tensor"](x, y), expected)
    by_number = [REPLACED["aten.pow.Tensor_Scalar"](sides, number) for number in sides.tolist()]
    assert same_bits(torch.stack(by_number, dim=1).flatten(), expected)


def test_every_nan_has_the_same_bits():
    payloads = torch.tensor([0x7FC00001, 0x7F800001, -1, -0x400000], dtype=torch.int32)
    x = torch.cat([payloads.view(torch.float32), torch.ones(3)])
    for name in ("exp", "log", "tanh", "sqrt", "erf"):
        found = getattr(functions, name)(x).view(torch.int32)[:4]
        assert (found == 0x7FC00000).all(), name


def test_the_least_numbers_are_kept():
    tiny = torch.tensor([1e-45, -1e-45, 1e-40, 1.1754944e-38])
    for name in ("tanh", "expm1", "log1p"):
        assert same_bits(getattr(functions, name)(tiny), tiny)
    assert float(functions.exp(torch.tensor(-103.0))) == 1.401298464324817e-45
    assert float(functions.exp64(torch.tensor(-745.0).double())) == 5e-324


def test_other_types_are_refused():
    with pytest.raises(UnsupportedError, match="float64"):
        functions.exp(torch.ones(2, dtype=torch.float64))
