from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import ImageFile
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.jpeg_scans import MAX_SCANS, find_too_many_scans
from cxr.data.inspection import jpeg_scan
from cxr.data.inspection.inspect_file import inspect_file
from cxr.errors import DataError
from support.dicoms import draw_values, make_dicom, write_dicom
from support.hostile_images import SIDE, add_scans, encode

JPEG = encode(progressive=True)
MOST, ONE_MORE = (add_scans(JPEG, total) for total in (MAX_SCANS, MAX_SCANS + 1))
SAID = "101 scans; 100 at most are decoded"
PLAN = DecodePlan(size_px=SIDE, channels=1, resample="bilinear")


def add_comment(jpeg, text):
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + jpeg[2:]


def test_scans_are_counted_and_nothing_that_looks_like_one():
    assert find_too_many_scans(MOST) is None
    assert find_too_many_scans(ONE_MORE) == SAID
    # In metadata, and behind the end, the two bytes mean nothing; before a marker, more may stand.
    assert find_too_many_scans(add_comment(MOST, b"\xff\xda" * 200)) is None
    assert find_too_many_scans(MOST + ONE_MORE) is None
    assert find_too_many_scans(ONE_MORE.replace(b"\xff\xda", b"\xff\xff\xff\xda")) == SAID


def test_inspection_and_decoding_say_it_and_decode_nothing(monkeypatch):
    assert inspect_file(MOST, name="a.jpeg").findings == ()
    assert decode_image(MOST, PLAN, where="a").shape == (SIDE, SIDE, 1)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    monkeypatch.setattr(jpeg_scan, "_halve_step", lambda *_: pytest.fail("decoded"))
    assert inspect_file(ONE_MORE, name="a.jpeg").findings == (("bomb", SAID),)
    with pytest.raises(DataError, match=f"an image has {SAID}"):
        decode_image(ONE_MORE, PLAN, where="a")


def test_dicom_does_not_hide_them():
    made = make_dicom(draw_values(low=0, high=255, side_px=SIDE).astype(np.uint8), bits=8)
    made["PixelData"].VR = "OB"
    looks = []
    for stream in (MOST, ONE_MORE):
        made.PixelData = encapsulate([stream])
        looks.append(
            inspect_file(write_dicom(made, JPEGBaseline8Bit, compress=False), name="a.dcm")
        )
    assert looks[0].findings == ()
    assert looks[1].findings == (("bomb", f"a DICOM image's compressed part has {SAID}"),)
