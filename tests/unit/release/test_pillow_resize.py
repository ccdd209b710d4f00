"""Pillow's resize in operations of ONNX gives Pillow's bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from cxr.release.pillow_resize import PillowResize, find_pass_order

SIZES = [(1, 1), (8, 8), (7, 9), (24, 24), (37, 100), (100, 37), (61, 47), (64, 44), (301, 517)]


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_byte_is_pillows(resample: str, channels: int):
    generator = np.random.default_rng(5)
    resize = PillowResize(24, resample, tall_first=find_pass_order())
    for height, width in SIZES:
        # Black and white in turn ask most of the cubic filter, which goes beyond both.
        values = generator.integers(0, 2, (height, width, channels), dtype=np.uint8) * 255
        assert np.array_equal(resize(torch.tensor(values)).numpy(), by_pillow(values, resample))


def test_the_other_order_of_passes_is_told_by_tall_pictures_alone():
    generator = np.random.default_rng(6)
    other = PillowResize(24, "bilinear", tall_first=not find_pass_order())
    differing = []
    for height, width in [(37, 100), (100, 90), (100, 37), (200, 40)]:
        values = generator.integers(0, 256, (height, width, 1), dtype=np.uint8)
        if not np.array_equal(other(torch.tensor(values)).numpy(), by_pillow(values, "bilinear")):
            differing.append((height, width))
    assert differing == [(100, 37), (200, 40)]


def by_pillow(values, resample):
    picture = Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)
    resized = picture.resize((24, 24), Image.Resampling[resample.upper()])
    return np.asarray(resized).reshape(24, 24, values.shape[2])
