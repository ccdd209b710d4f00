"""Levels are found block by block, and no block is another's."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from cxr.data.decoding import ramp
from cxr.data.decoding.ramp import Ramp, Rescale, level_floats, level_integers

RAMP = Ramp(low=Fraction(-20), high=Fraction(200))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, ">u2", np.float32])
def test_blocks_change_no_level(monkeypatch, dtype):
    values = np.random.default_rng(0).integers(0, 250, (13, 17)).astype(dtype)
    found = []
    for size in (2**20, 7, 1):
        monkeypatch.setattr(ramp, "_BLOCK", size)
        if values.dtype.kind == "f":
            found.append(level_floats(values.T, RAMP))
        else:
            found.append(level_integers(values.T, RAMP, Rescale()))
    expected = np.floor((values.T.astype(np.float64) + 20) * 255 / 220 + 0.5).clip(0, 255)
    for levels in found:
        assert levels.dtype == np.uint8
        assert np.array_equal(levels, expected)
