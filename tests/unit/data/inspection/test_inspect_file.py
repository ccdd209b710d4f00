from __future__ import annotations

import concurrent.futures
import io
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile

from cxr.data.checks.kinds import KINDS
from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.inspection.inspect_file import inspect_file
from cxr.data.inspection.pixels_digest import digest_pixels
from cxr.digests.canonical import digest_bytes
from cxr.errors import DataError
from support.hostile_images import (
    COLOUR,
    HOSTILE,
    JPEG,
    PACKED_TIFF,
    draw_picture,
    encode,
    encode_turned_tiff,
)

PLAN = DecodePlan(size_px=16, channels=1, resample="bilinear")

# What training decodes without a choice: the other errors are those that it must refuse too.
NOT_REFUSED_BY_DECODING = {"truncated", "damaged"}


@pytest.mark.parametrize("what", HOSTILE)
def test_each_file_is_what_it_is_and_nothing_else(what):
    name, content, kinds = HOSTILE[what]
    look = inspect_file(content, name=name)
    assert {kind for kind, _ in look.findings} == kinds, look.findings
    assert all(kind in KINDS and "\n" not in detail for kind, detail in look.findings)
    assert (look.num_bytes, look.sha256) == (len(content), digest_bytes(content))


@pytest.mark.parametrize("what", HOSTILE)
def test_training_refuses_what_inspection_calls_an_error_and_nothing_else(what):
    name, content, kinds = HOSTILE[what]
    errors = {kind for kind in kinds if KINDS[kind].severity == "error"}
    if kinds & {"appledouble", "os-file", "unsupported-format"}:
        # These are passed over by name; whatever comes this way all the same is refused.
        errors = kinds
    if errors and not errors <= NOT_REFUSED_BY_DECODING:
        with pytest.raises(DataError):
            decode_image(content, PLAN, where=name)
    elif not errors:
        assert decode_image(content, PLAN, where=name).shape == (16, 16, 1)


@pytest.mark.parametrize("what", ["LFS pointer", "web page", "zeros", "WebP named PNG"])
def test_what_is_no_image_is_told_in_the_same_words_under_the_name_of_a_dicom(what):
    name, content, _ = HOSTILE[what]
    seen = inspect_file(content, name="a.dcm")
    assert seen.findings == inspect_file(content, name=name).findings


@pytest.mark.parametrize("what", ["plain JPEG", "plain PNG", "plain BMP", "plain TIFF"])
def test_a_picture_under_the_name_of_a_dicom_has_the_same_pixels(what):
    name, content, _ = HOSTILE[what]
    named, seen = inspect_file(content, name=name), inspect_file(content, name="a.dcm")
    assert seen.pixels == named.pixels
    assert [kind for kind, _ in seen.findings] == ["wrong-suffix"]
    assert "DICOM" not in seen.findings[0][1]
    pixels = decode_image(content, PLAN, where=name)
    assert np.array_equal(decode_image(content, PLAN, where="a.dcm"), pixels)


def test_a_sound_picture_is_described_upright():
    look = inspect_file(encode(draw_picture()[:40], "PNG"), name="a.png")
    assert (look.width, look.height, look.mode) == (48, 40, "L")
    assert look.pixels == digest_pixels(draw_picture()[:40])
    assert isinstance(look.likeness, int)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = inspect_file(encode(draw_picture()[:40], "PNG", exif=exif), name="a.png")
    assert (turned.width, turned.height) == (40, 48)
    assert turned.pixels == digest_pixels(np.rot90(draw_picture()[:40], -1))
    assert turned.likeness != look.likeness


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_tiff_is_told_and_described_upright(orientation, compression):
    stored = draw_picture()[:40]
    upright = {
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.T,
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).T,
        8: np.rot90(stored),
    }.get(orientation)
    content = encode_turned_tiff(stored, orientation, compression=compression)
    look = inspect_file(content, name="a.tif")
    assert look.pixels == digest_pixels(stored if upright is None else upright)
    said = ("exif-rotated", f"stored turned or mirrored: orientation {orientation}")
    assert look.findings == (() if upright is None else (said,))


def test_a_turn_that_only_the_xmp_of_a_tiff_tells_is_told():
    xmp = b'<x tiff:Orientation="6"/>'
    content = encode(draw_picture()[:40], "TIFF", tiffinfo={700: xmp})
    look = inspect_file(content, name="a.tif")
    assert [kind for kind, _ in look.findings] == ["exif-rotated"]
    assert look.pixels == digest_pixels(np.rot90(draw_picture()[:40], -1))


def test_one_picture_has_one_digest_however_it_is_stored():
    grey = draw_picture()
    stored = {
        "a.png": encode(grey, "PNG"),
        "b.bmp": encode(grey, "BMP"),
        "c.tif": encode(grey, "TIFF", compression="tiff_lzw"),
        "d.png": encode(np.stack([grey] * 3, axis=2), "PNG"),
        "e.png": encode(grey, "PNG", mode="P"),
    }
    looks = [inspect_file(content, name=name) for name, content in stored.items()]
    assert {look.pixels for look in looks} == {digest_pixels(grey)}
    assert len({look.likeness for look in looks}) == 1
    assert len({look.sha256 for look in looks}) == len(looks)


@pytest.mark.parametrize("channel", range(3))
def test_a_picture_is_colour_if_one_pixel_of_one_channel_differs(channel):
    colours = np.stack([draw_picture()] * 3, axis=2)
    colours[-1, -1, channel] ^= 1
    look = inspect_file(encode(colours, "PNG"), name="a.png")
    assert look.pixels == digest_pixels(colours)


def test_a_jpeg_has_the_digest_of_a_png_of_its_pixels():
    with Image.open(io.BytesIO(JPEG)) as picture:
        png = encode(picture, "PNG")
    jpeg = inspect_file(JPEG, name="a.jpeg")
    assert jpeg.pixels == inspect_file(png, name="a.png").pixels


def test_one_pixel_changes_the_digest_and_so_does_a_channel():
    changed = COLOUR.copy()
    changed[5, 6, 2] ^= 1
    swapped = COLOUR[:, :, ::-1]
    two_equal = COLOUR[:, :, [0, 0, 2]]
    pictures = (COLOUR, changed, swapped, two_equal, COLOUR[:, :, 0])
    looks = [inspect_file(encode(one, "PNG"), name="a.png") for one in pictures]
    assert len({look.pixels for look in looks}) == len(pictures)


def test_a_likeness_needs_no_window():
    deep = inspect_file(encode(draw_picture().astype(np.uint16) * 257, "PNG"), name="a.png")
    assert deep.likeness is None
    assert deep.pixels == digest_pixels(draw_picture().astype(np.uint16) * 257)


def test_a_broken_file_is_decoded_all_the_same_where_it_can_be():
    name, content, _ = HOSTILE["JPEG, whiter than white"]
    assert inspect_file(content, name=name).pixels == digest_pixels(
        np.full((48, 48), 255, np.uint8)
    )
    assert not inspect_file(b"", name="a.jpeg").pixels


def _garble_stream():
    """Return a TIFF file of which libtiff complains, from C."""
    garbled = bytearray(PACKED_TIFF)
    garbled[8:200] = bytes(192)
    return bytes(garbled)


def _claim_many_samples():
    """Return a TIFF file of which Pillow complains in its log."""
    content, entry = encode(COLOUR, "TIFF"), struct.pack("<HHII", 277, 3, 1, 3)
    assert entry in content
    return content.replace(entry, struct.pack("<HHII", 277, 3, 1, 65535))


@pytest.mark.parametrize("make", [_garble_stream, _claim_many_samples])
def test_nothing_is_said_on_the_screen_by_any_thread(make):
    program = (
        "import sys, concurrent.futures\n"
        "from cxr.data.inspection.inspect_file import inspect_file\n"
        "content = sys.stdin.buffer.read()\n"
        "with concurrent.futures.ThreadPoolExecutor(2) as pool:\n"
        "    looks = list(pool.map(lambda _: inspect_file(content, name='a.tif'), range(4)))\n"
        "print(looks[0].findings[0][0])\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], input=make(), capture_output=True, check=True
    )
    assert (finished.stdout, finished.stderr) == (b"damaged\n", b"")


def test_filters_of_warnings_are_put_back_when_the_last_thread_leaves():
    before = list(warnings.filters)
    contents = [(name, content) for name, content, _ in HOSTILE.values()] * 2
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: inspect_file(one[1], name=one[0]), contents))
    assert warnings.filters == before


def test_too_little_memory_is_no_damage(monkeypatch):
    def fail(_):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    seen = inspect_file(encode(), name="a.jpg")
    assert seen.findings == (("unreadable", "too little memory to decode it"),)
    assert not seen.is_of_the_file
