from __future__ import annotations

import math

import pytest
import torch

from cxr.determinism.portable.elementary import functions, square_roots
from cxr.determinism.portable.elementary.square_roots import sqrt64
from support.accuracy import draw_binades, draw_float32


def round_exact_root(x: float) -> float:
    """Return the correctly rounded root, from integers alone."""
    numerator, denominator = x.as_integer_ratio()
    shift = max(0, 130 - numerator.bit_length()) // 2 * 2 + (denominator.bit_length() - 1) % 2
    scaled = numerator << shift
    root = math.isqrt(scaled)
    # A bit for what the integer root leaves out decides ties.
    places = (shift + denominator.bit_length() - 1) // 2 + 1
    return (2 * root + (root * root != scaled)) / (1 << places)


def draw_near_ties() -> torch.Tensor:
    """Return the float64 on both sides of squares of numbers half-way between two float64."""
    found = []
    for root in draw_binades(1000, 0, 1, seed=9).abs().tolist():
        square = (2 * int(root * 2**52) + 1) ** 2
        excess = square.bit_length() - 53
        found += [math.ldexp((square >> excess) + step, excess - 106) for step in (0, 1)]
    return torch.tensor(found, dtype=torch.float64)


def draw_hard_roots() -> torch.Tensor:
    edges = [torch.arange(-300, 300) + (exponent << 52) for exponent in (1, 1022, 1023, 1024, 1025)]
    return torch.cat(
        [
            draw_binades(4000, -1022, 1024).abs(),
            draw_near_ties(),
            *(edge.view(torch.float64) for edge in edges),
            torch.arange(1, 300).view(torch.float64),
            torch.tensor([2.0**-1022, 1.7976931348623157e308], dtype=torch.float64),
        ]
    )


def test_every_root_is_correctly_rounded():
    x = draw_hard_roots()
    wanted = torch.tensor([round_exact_root(value) for value in x.tolist()], dtype=torch.float64)
    assert torch.equal(sqrt64(x), wanted)


@pytest.mark.parametrize("wrong_by", [-3e-9, -(2.0**-52), 2.0**-52, 3e-9])
def test_any_near_first_value_leads_to_the_same_root(monkeypatch, wrong_by):
    x = draw_hard_roots()
    wanted = sqrt64(x)
    native = torch.sqrt
    monkeypatch.setattr(square_roots.torch, "sqrt", lambda m: native(m) * (1.0 + wrong_by))
    assert torch.equal(sqrt64(x), wanted)


def test_without_the_residual_roots_are_wrong(monkeypatch):
    x = draw_hard_roots()
    wanted = sqrt64(x)
    monkeypatch.setattr(square_roots, "_ULP", 2.0)
    assert not torch.equal(sqrt64(x), wanted)


def test_float32_roots_are_correctly_rounded_and_a_float64_unit_does_not_matter():
    x = torch.cat([draw_float32(5000, -149, 128).abs(), torch.arange(2**23, 2**23 + 5000).float()])
    wanted = torch.tensor([round_exact_root(v) for v in x.tolist()], dtype=torch.float64).float()
    assert torch.equal(functions.sqrt(x), wanted)
    root = sqrt64(x.double())
    for step in (-1, 1):
        assert torch.equal((root.view(torch.int64) + step).view(torch.float64).float(), wanted)


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="the fault is MKL's")
def test_a_native_float32_root_would_be_noticed():
    x = draw_float32(5000, -149, 128).abs()
    assert not torch.equal(torch.sqrt(x), functions.sqrt(x))
