from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from cxr.determinism.portable.errors import NotFiniteError
from cxr.determinism.portable.exact import scaling
from cxr.determinism.portable.exact.scaling import (
    LEAST_EXPONENT,
    OPERAND_BITS,
    find_exponents,
    power_of_two,
    quantise,
    quantise_twice,
    round_to_grid,
    scale_back,
)

POWERS = [math.ldexp(1.0, exponent) for exponent in range(-149, 128)]
ODD = [1.5, 0.1, 1 / 3, 0.99999994, 1.1754942e-38, 1.1754944e-38, 3.4028235e38, 1e-45, 4.2e-45]
NUMBERS = torch.tensor([sign * number for number in POWERS + ODD for sign in (1, -1)])


def exactly(x, exponents, bits):
    return Fraction(float(x)) * Fraction(2) ** (bits - int(exponents))


def test_an_exponent_is_the_least_above_every_float32():
    below = torch.nextafter(NUMBERS, torch.zeros(()))
    for numbers in (NUMBERS, below[below != 0]):
        found = find_exponents(numbers, ()).tolist()
        assert found == [math.frexp(number)[1] for number in numbers.tolist()]
        # Each by itself as well: the others must not lend it theirs.
        each = [int(find_exponents(number.reshape(1), (0,))) for number in numbers]
        assert each == found


def test_zeros_and_nothing_have_the_least_exponent():
    assert int(find_exponents(torch.tensor([0.0, -0.0]), (0,))) == LEAST_EXPONENT
    assert find_exponents(torch.zeros(3, 0), (1,)).tolist() == [[LEAST_EXPONENT]] * 3
    assert find_exponents(torch.zeros(3, 0), (-2,)).shape == (1, 0)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, -math.nan])
@pytest.mark.parametrize("dims", [(), (0,), (1,), (0, 1)])
def test_infinities_and_nan_are_refused_wherever_they_stand(number, dims):
    for position in (0, 7, 36, 73):
        x = torch.full((2, 37), -5.0)
        x.view(-1)[position] = number
        with pytest.raises(NotFiniteError):
            find_exponents(x, dims)


@pytest.mark.parametrize("dims", [(0,), (1,), (0, 2, 3), (1, 2, 3), (0, 1, 2, 3)])
def test_a_layout_changes_neither_exponents_nor_integers(dims):
    x = torch.arange(2 * 3 * 5 * 4, dtype=torch.float32).reshape(2, 3, 5, 4).sub(31.7).mul(1e-3)
    wider = torch.zeros(2, 3, 5, 9)
    wider[..., ::2][..., :4] = x
    exponents = find_exponents(x, dims)
    for same in (x.to(memory_format=torch.channels_last), wider[..., ::2][..., :4]):
        assert not same.is_contiguous()
        assert torch.equal(find_exponents(same, dims), exponents)
        assert torch.equal(quantise(same, exponents), quantise(x, exponents))


def draw_near_ties(exponent):
    """Return numbers below ``2^exponent`` on ties of its grid and beside them, of both signs."""
    steps = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 3.5, 1001.5, 2**18 - 0.5, 2**19 - 0.5, 2**19 - 1]
    x = torch.tensor([math.ldexp(step, exponent - OPERAND_BITS) for step in steps])
    return torch.cat([x, -x, torch.nextafter(x, torch.zeros(()))])


@pytest.mark.parametrize("exponent", [128, 19, 1, 0, -30, -107, -108, -109, -126, -148])
def test_integers_are_rounded_half_to_even(exponent):
    x = draw_near_ties(exponent)
    exponents = torch.tensor([exponent], dtype=torch.int32)
    expected = [round(exactly(number, exponent, OPERAND_BITS)) for number in x]
    assert quantise(x, exponents).tolist() == expected
    assert max(abs(number) for number in expected) <= 2**OPERAND_BITS
    # With a tiny row beside it all rows go another way.
    both = quantise(x.expand(2, -1), torch.tensor([[exponent], [-140]]).clamp(min=exponent))
    assert both[0].tolist() == expected


# On either side of where float32 takes over from float64, and at the ends of float32.
@pytest.mark.parametrize("exponent", [128, 123, 122, 100, 1, 0, -90, -106, -107, -126, -130, -149])
def test_a_grid_holds_the_same_integers(exponent):
    x = draw_near_ties(exponent)
    exponents = torch.tensor([exponent], dtype=torch.int32)
    scaled = quantise(x, exponents).double() * power_of_two(exponents - OPERAND_BITS)
    rounded = round_to_grid(x, exponents)
    assert torch.equal(rounded.double(), scaled)
    assert not rounded[rounded == 0].signbit().any()
    # With a row beside it at the other end all rows go another way.
    both = torch.tensor([[exponent], [128 if exponent < 0 else -149]], dtype=torch.int32)
    rows = torch.stack([x, torch.zeros_like(x)])
    assert torch.equal(round_to_grid(rows, both)[0].double(), scaled)


@pytest.mark.parametrize("exponent", [127, 125])
def test_a_grid_beyond_the_range_of_float32_is_seen(monkeypatch, exponent):
    monkeypatch.setattr(scaling, "_NARROW_GRIDS", range(-149, 129))
    with pytest.raises(AssertionError):
        test_a_grid_holds_the_same_integers(exponent)


def test_two_slices_leave_at_most_half_of_their_last_bit():
    exponents = find_exponents(NUMBERS, ())
    dropped = torch.cat([NUMBERS, NUMBERS / 3, NUMBERS * 0.7])
    exponents = exponents.repeat(3)
    high, low = quantise_twice(dropped, exponents)
    assert torch.equal(high, quantise(dropped, exponents))
    assert int(low.abs().max()) <= 2**OPERAND_BITS
    for number, exponent, large, small in zip(dropped, exponents, high, low, strict=True):
        together = int(large) + Fraction(int(small), 2**20)
        assert abs(exactly(number, exponent, OPERAND_BITS) - together) <= Fraction(1, 2**21)


def test_powers_of_two_are_those_of_ldexp():
    exponents = torch.arange(-1022, 1024)
    assert power_of_two(exponents).tolist() == [math.ldexp(1.0, e) for e in range(-1022, 1024)]


@pytest.mark.parametrize("exponent", [-130, -40, 0, 60, 100])
def test_a_product_is_rounded_once(exponent):
    # Just beside a tie of float32: a rounding on the way would make it a tie.
    product = torch.tensor([[2**40 + 2**16 + 1, 2**40 + 2**16, -(2**52) + 1, 0, 3]]).double()
    expected = [float(number) * 2.0 ** (2 * exponent - 2 * OPERAND_BITS) for number in product[0]]
    exponents = torch.tensor([[exponent]], dtype=torch.int32)
    scaled = scale_back(product.clone(), exponents, exponents.expand(1, 5))
    assert torch.equal(scaled, torch.tensor([expected], dtype=torch.float64).float())
