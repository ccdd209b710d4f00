from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageFile

from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.jpeg_scans import MAX_SCANS, find_too_many_scans
from cxr.data.inspection import jpeg_scan
from cxr.data.inspection.inspect_file import inspect_file
from cxr.errors import DataError
from support.dicoms import wrap_jpeg
from support.hostile_images import SIDE, add_scans, encode, hide_scans

JPEG = encode(progressive=True)
MOST, ONE_MORE = (add_scans(JPEG, total) for total in (MAX_SCANS, MAX_SCANS + 1))
HIDDEN = hide_scans(add_scans(JPEG, MAX_SCANS))
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


@pytest.mark.parametrize("content", [ONE_MORE, HIDDEN])
def test_inspection_and_decoding_say_it_and_decode_nothing(monkeypatch, content: bytes):
    assert inspect_file(MOST, name="a.jpeg").findings == ()
    assert decode_image(MOST, PLAN, where="a").shape == (SIDE, SIDE, 1)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    monkeypatch.setattr(jpeg_scan, "_halve_step", lambda *_: pytest.fail("decoded"))
    assert inspect_file(content, name="a.jpeg").findings == (("bomb", SAID),)
    with pytest.raises(DataError, match=f"an image has {SAID}"):
        decode_image(content, PLAN, where="a")


def test_scans_are_counted_that_only_a_decoder_finds():
    hidden = hide_scans(JPEG)
    # The decoder itself tells: what it finds there is the picture.
    assert np.array_equal(*(np.asarray(Image.open(io.BytesIO(one))) for one in (JPEG, hidden)))
    assert find_too_many_scans(hide_scans(add_scans(JPEG, MAX_SCANS - 1))) is None
    assert find_too_many_scans(HIDDEN) == SAID
    # A segment that is one does hide the two bytes, within a scan too.
    assert find_too_many_scans(HIDDEN.replace(b"\xff\x02", b"\xff\xfe")) is None


@pytest.mark.parametrize("stream", [ONE_MORE, HIDDEN])
def test_dicom_does_not_hide_them(stream: bytes):
    assert inspect_file(wrap_jpeg(MOST, side_px=SIDE), name="a.dcm").findings == ()
    findings = inspect_file(wrap_jpeg(stream, side_px=SIDE), name="a.dcm").findings
    assert findings == (("bomb", f"a DICOM image's compressed part has {SAID}"),)
