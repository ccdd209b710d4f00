from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from cxr.data.normalise import derive_pixel_table, normalise_images


@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.25), (0.449, 0.226), (0.0, 1.0), (1.0, 0.001)])
def test_each_byte_becomes_the_nearest_float32_of_the_exact_value(mean, std):
    table = derive_pixel_table(mean, std)
    assert table.dtype == np.float32
    exact = [(Fraction(value, 255) - Fraction(mean)) / Fraction(std) for value in range(256)]
    for found, wanted in zip(table, exact, strict=True):
        step = Fraction(float(np.spacing(np.abs(found)))) or Fraction(1, 2**149)
        assert abs(Fraction(float(found)) - wanted) <= step * Fraction(51, 100)


def test_the_ends_of_the_table_are_what_the_formula_says():
    table = derive_pixel_table(0.5, 0.25)
    assert (table[0], table[255]) == (-2.0, 2.0)


def test_images_are_looked_up_and_their_axes_moved():
    images = np.arange(2 * 2 * 3 * 3, dtype=np.uint8).reshape(2, 2, 3, 3)
    table = derive_pixel_table(0.5, 0.25)
    found = normalise_images(images, table)
    assert found.shape == (2, 3, 2, 3)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    for n, y, x, c in np.ndindex(images.shape):
        assert found[n, c, y, x] == table[images[n, y, x, c]]
