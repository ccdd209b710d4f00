from __future__ import annotations

import zlib

import numpy as np
import pytest

from cxr.data.decoding.open_picture import MAX_PIXELS
from cxr.serving.decompression_bombs import refuse_bomb
from support.dicoms import draw_values, make_dicom, write_dicom
from support.hostile_images import HOSTILE, PNG, SIDE, VALID, write_png

READ = ("JPEG", "CMYK JPEG", "PNG", "BMP", "TIFF", "packed TIFF")
DEEP = write_dicom(make_dicom(draw_values(low=0, high=255, side_px=SIDE).astype(np.uint8), bits=8))


@pytest.mark.parametrize("name", READ)
def test_the_claim_of_each_format_is_held_to_the_pixel(name: str):
    content = VALID[name][1]
    assert refuse_bomb(content, name="a", max_pixels=SIDE * SIDE) is None
    refused = refuse_bomb(content, name="a", max_pixels=SIDE * SIDE - 1)
    assert (refused.path, refused.kind) == ("a", "bomb")
    assert refused.detail == "48 x 48 px; 2,303 pixels at most are decoded"


def test_so_is_that_of_dicom():
    assert refuse_bomb(DEEP, name="a.dcm", max_pixels=SIDE * SIDE) is None
    assert refuse_bomb(DEEP, name="a.dcm", max_pixels=SIDE * SIDE - 1).kind == "bomb"


def test_nothing_is_decoded_for_it():
    # There are no pixels in it at all.
    empty = write_png(3000, 3000, zlib.compress(b""))
    for name in ("a.png", "a.dcm"):
        assert refuse_bomb(empty, name=name, max_pixels=10).kind == "bomb"


def test_what_nobody_decodes_is_left_to_who_has_the_words():
    bomb = write_png(10_000, 10_000, zlib.compress(b""))
    assert refuse_bomb(bomb, name="a.png", max_pixels=MAX_PIXELS) is None
    assert refuse_bomb(bomb, name="a.png", max_pixels=MAX_PIXELS - 1).kind == "bomb"


def test_what_cannot_be_read_is_left_to_who_has_the_words():
    for content in (b"", b"text", PNG[:20], HOSTILE["GIF"][1], DEEP[:200]):
        assert refuse_bomb(content, name="a.dcm", max_pixels=1) is None
