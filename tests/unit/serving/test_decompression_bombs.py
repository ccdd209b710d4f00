from __future__ import annotations

import zlib

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from cxr.serving.decompression_bombs import MAX_SCANS, refuse_bomb
from support.dicoms import draw_values, make_dicom, write_dicom
from support.hostile_images import HOSTILE, PNG, SIDE, VALID, encode, write_png

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
    assert refuse_bomb(empty, name="a.png", max_pixels=10).kind == "bomb"


def add_scans(jpeg: bytes, total: int) -> bytes:
    """Return a JPEG with its last scan repeated until there are so many."""
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * (total - jpeg.count(b"\xff\xda")) + jpeg[-2:]


def test_a_jpeg_of_many_scans_is_one_as_each_takes_the_time_of_a_picture():
    jpeg = encode(progressive=True)
    assert refuse_bomb(add_scans(jpeg, MAX_SCANS), name="a.jpeg", max_pixels=SIDE * SIDE) is None
    refused = refuse_bomb(add_scans(jpeg, MAX_SCANS + 1), name="a.jpeg", max_pixels=SIDE * SIDE)
    assert (refused.kind, refused.detail) == ("bomb", "101 scans; 100 at most are decoded")
    # In files of other formats these two bytes mean nothing.
    assert refuse_bomb(PNG + b"\xff\xda" * 200, name="a.png", max_pixels=SIDE * SIDE) is None


def test_nor_does_dicom_hide_them():
    made = make_dicom(draw_values(low=0, high=255, side_px=SIDE).astype(np.uint8), bits=8)
    stream = add_scans(encode(progressive=True), 200)
    made.PixelData = encapsulate([stream])
    made["PixelData"].VR = "OB"
    content = write_dicom(made, JPEGBaseline8Bit, compress=False)
    assert refuse_bomb(content, name="a.dcm", max_pixels=SIDE * SIDE).kind == "bomb"


def test_what_cannot_be_read_is_left_to_who_has_the_words():
    for content in (b"", b"text", PNG[:20], HOSTILE["GIF"][1], DEEP[:200]):
        assert refuse_bomb(content, name="a.dcm", max_pixels=1) is None
