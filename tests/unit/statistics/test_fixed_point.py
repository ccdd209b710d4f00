"""Sums of whole multiples of a power of two."""

from __future__ import annotations

from pathlib import Path

from cxr.statistics.fixed_point import choose_fraction_bits

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"


def test_the_page_says_how_far_rounding_puts_a_mean_off() -> None:
    bits = choose_fraction_bits(1.0, 50_000)
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"values up to 1 the power is 2^-{bits}: " in text
    assert f"off by at most 2^-{bits + 1} ({2.0 ** -(bits + 1):.1e})" in text
