from __future__ import annotations

import dataclasses

import mpmath as mp
import pytest
import torch

from cxr.determinism.portable.elementary import normal_table
from cxr.determinism.portable.elementary.constants import NORMAL_DENSITY
from cxr.determinism.portable.elementary.error_functions import normal_cdf64
from cxr.determinism.portable.elementary.exponentials import exp64
from support.accuracy import find_worst_ulps

LOWEST, HIGHEST = -15.0, 7.0
PLACE = 2.0**-10


def exact_cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def exact_slope(x):
    return exact_cdf(x) + x * mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def draw_grid() -> torch.Tensor:
    """Return every 2,003rd float32 of the table's range, and those around half-way numbers."""
    bits = torch.arange(0, int(torch.tensor(15.0).view(torch.int32)), 2003, dtype=torch.int32)
    size = bits.view(torch.float32)
    halves = torch.arange(LOWEST * 1024 + 0.5, HIGHEST * 1024, 1.0, dtype=torch.float32) * PLACE
    lower, upper = (torch.nextafter(halves, torch.tensor(end)) for end in (-99.0, 99.0))
    x = torch.cat([size, -size, halves, lower, upper])
    return x[(x >= LOWEST) & (x <= HIGHEST)]


def measure(x: torch.Tensor) -> tuple[float, float, float]:
    """Return the worst relative error of Phi, that of the slope below -4, and its absolute one."""
    wide = x.double()
    cdf = normal_cdf64(wide)
    slope = cdf + wide * exp64(wide * wide * -0.5) * NORMAL_DENSITY
    found = normal_table.normal_cdf(x)
    difference = (normal_table.gelu_slope(x) - slope).abs()
    tail = x < -4.0
    return (
        float((found / cdf - 1.0).abs().max()),
        float((difference / slope.abs())[tail].max()),
        float(difference.max()),
    )


def test_the_float64_distribution_keeps_its_bounds_against_many_digits():
    near = torch.linspace(-8.39, 7.0, 400, dtype=torch.float64)
    far = torch.linspace(-15.0, -8.41, 100, dtype=torch.float64)
    for x, bound in ((near, 6e-15), (far, 6e-11)):
        pairs = zip(normal_cdf64(x).tolist(), x.tolist(), strict=True)
        assert max(abs(found / exact_cdf(mp.mpf(value)) - 1) for found, value in pairs) < bound


def test_both_stay_within_their_bounds_on_a_dense_grid():
    cdf, tail, slope = measure(draw_grid())
    assert cdf < 5e-10
    assert tail < 2e-10
    assert slope < 1e-13


def test_rounded_they_are_within_six_tenths_of_a_unit():
    x = draw_grid()[::4001]
    assert find_worst_ulps(normal_table.normal_cdf(x).float(), exact_cdf, x) <= 0.51
    # Near -0.75 the slope crosses 0.
    away = x[(x + 0.75).abs() > 0.01]
    assert find_worst_ulps(normal_table.gelu_slope(away).float(), exact_slope, away) <= 0.51


def test_place_and_rest_are_exactly_the_number():
    x = draw_grid()
    table = normal_table._build_table()
    index, place, rest = normal_table._find_places(x, table)
    assert torch.equal(place.double() + rest.double(), x.double())
    assert float(rest.abs().max()) == PLACE / 2
    assert torch.equal(index.double() * PLACE + LOWEST, place.double())
    assert len(table.cdf) == int((HIGHEST - LOWEST) / PLACE) + 1


@pytest.mark.parametrize("column", ["cdf", "density", 0, 1, 2, 3])
def test_a_column_that_is_a_little_off_breaks_a_bound(monkeypatch, column):
    table = normal_table._build_table()
    factor = {"density": 1 + 1e-4, 2: 1 + 1e-3, 3: 0.0}.get(column, 1 + 1e-9)
    if isinstance(column, int):
        slope = [
            values * factor if place == column else values
            for place, values in enumerate(table.slope)
        ]
        wrong = dataclasses.replace(table, slope=tuple(slope))
    else:
        wrong = dataclasses.replace(table, **{column: getattr(table, column) * factor})
    monkeypatch.setattr(normal_table, "_build_table", lambda: wrong)
    cdf, tail, slope = measure(draw_grid())
    assert cdf > 5e-10 or tail > 2e-10 or slope > 1e-13
