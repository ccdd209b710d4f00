from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cxr.data.inspection.likeness import NUM_BITS, derive_likeness
from support.hostile_images import draw_picture


def distance(a, b):
    return (a ^ b).bit_count()


def picture(pixels):
    return Image.fromarray(pixels.astype(np.uint8))


def test_each_bit_says_whether_a_cell_is_brighter_than_the_one_on_its_left():
    cells = np.zeros((16, 17))
    cells[0, 1] = 200
    cells[15, 16] = 200
    assert derive_likeness(picture(cells)) == 1 << 255 | 1
    # A cell is the mean of its pixels.
    assert derive_likeness(picture(np.kron(cells, np.ones((5, 3))))) == 1 << 255 | 1


def test_extremes():
    assert derive_likeness(picture(np.full((40, 40), 7))) == 0
    assert derive_likeness(picture(np.tile(np.arange(170), (160, 1)))) == 2**NUM_BITS - 1


def test_a_picture_looks_like_itself_smaller_and_compressed_and_unlike_another():
    drawn = picture(draw_picture(224))
    stream = io.BytesIO()
    drawn.resize((180, 170), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=60)
    with Image.open(stream) as copy:
        near = derive_likeness(copy)
    noise = np.random.default_rng(3).integers(0, 256, (224, 224))
    likeness = derive_likeness(drawn)
    assert distance(likeness, near) <= 20
    assert distance(likeness, derive_likeness(picture(noise))) >= 90
