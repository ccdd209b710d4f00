from __future__ import annotations

import random

import imagecodecs
import numpy as np
import pytest

from cxr.data.inspection.inspect_file import inspect_file
from cxr.data.inspection.jpeg_scan import _halve_step, check_jpeg_scan
from cxr.data.inspection.jpeg_stream import read_jpeg
from support.hostile_images import COLOUR, draw_picture, encode, find_scan, set_step


def check(content):
    head, findings = read_jpeg(content)
    return findings or check_jpeg_scan(content, head)


def flip(content, num, rng):
    """Turn bits within the scan, making no marker and breaking none."""
    start, end = find_scan(content)
    changed = bytearray(content)
    while num:
        place = rng.randrange(start, end)
        value = changed[place] ^ 1 << rng.randrange(8)
        if 0xFF not in (changed[place], value, changed[place - 1]):
            changed[place], num = value, num - 1
    return bytes(changed)


@pytest.mark.parametrize("quality", [5, 30, 75, 90, 95, 100])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("level", ["black", "white", "edges", "noise"])
def test_what_an_encoder_writes_has_no_finding(quality, progressive, level):
    edges = np.kron(np.indices((12, 12)).sum(0) % 2, np.ones((4, 4))) * 255
    noise = np.random.default_rng(1).integers(0, 2, (48, 48)) * 255
    grey = {"black": np.zeros((48, 48)), "white": np.full((48, 48), 255)}
    pixels = {**grey, "edges": edges, "noise": noise}[level].astype(np.uint8)
    options = {"quality": quality, "progressive": progressive}
    assert check(encode(pixels, **options)) == []
    assert check(encode(np.stack([pixels, pixels.T, 255 - pixels], axis=2), **options)) == []


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("restart", [0, 1, 3])
def test_neither_subsampling_nor_restarts_are_damage(subsampling, restart):
    content = encode(COLOUR, subsampling=subsampling, restart_marker_blocks=restart)
    assert check(content) == []


def test_colours_of_print_and_channels_stored_as_they_are_have_no_brightness():
    assert check(encode(mode="CMYK")) == []
    rgb = encode(COLOUR, keep_rgb=True)
    head, _ = read_jpeg(rgb)
    assert [chr(identifier) for identifier, _ in head.components] == ["R", "G", "B"]
    assert head.adobe == 0
    assert _halve_step(rgb, head) == (0, rgb)
    assert check(rgb) == []
    # Without Adobe's segment the components' names tell.
    place = rgb.index(b"\xff\xee")
    named = rgb[:place] + rgb[place + 16 :]
    head, _ = read_jpeg(named)
    assert (head.adobe, _halve_step(named, head)[0]) == (None, 0)


@pytest.mark.parametrize("level", [2, 253])
def test_a_block_out_of_range_is_found_though_every_decoder_clips_it(level):
    content = encode(np.full((48, 48), level, np.uint8), quality=90)
    assert check(content) == []
    ((kind, detail),) = check(set_step(content, 12))
    assert kind == "damaged"
    assert "blocks are brighter" in detail or "darker" in detail


def test_the_brightest_block_is_told_from_one_a_step_brighter():
    # White is 127 steps of 8, which is 1,016; 127 steps of 9 are more than 1,024 and rounding.
    content = encode(np.full((48, 48), 255, np.uint8), quality=75)
    head, _ = read_jpeg(content)
    assert content[head.tables[0][1]] == 8
    assert check(content) == []
    assert [kind for kind, _ in check(set_step(content, 9))] == ["damaged"]


def test_most_files_with_forty_turned_bits_are_found():
    # None of them is cut, and Pillow decodes all of them without a word.
    content = encode(draw_picture(224), quality=75)
    rng = random.Random(1)  # noqa: S311 - the same places each time
    found = sum(bool(check(flip(content, 40, rng))) for _ in range(40))
    assert found >= 36


def test_bytes_before_a_marker_are_found():
    content = encode()
    _, end = find_scan(content)
    ((kind, detail),) = check(content[:end] + bytes(20) + content[end:])
    assert kind == "damaged"
    assert "extraneous bytes" in detail


def test_a_restart_that_comes_out_of_turn_is_found():
    content = encode(draw_picture(64), restart_marker_blocks=1)
    assert check(content) == []
    place = content.index(b"\xff\xd3")
    ((kind, _),) = check(content[: place + 1] + b"\xd5" + content[place + 2 :])
    assert kind == "damaged"


def test_a_thumbnails_end_is_not_that_of_the_picture():
    content = encode(exif=b"Exif\0\0" + encode(draw_picture(16)))
    assert check(content) == []
    assert check(content[:-2]) == [("truncated", "the file ends without its last marker, EOI")]


def test_what_follows_the_end_is_nobodys_business():
    assert check(encode() + b"made by a camera") == []


@pytest.mark.parametrize("channels", [1, 3])
def test_a_lossless_jpeg_is_never_scaled(channels):
    # libjpeg scales none, and writes all of it where an eighth has room: the process would end.
    pixels = np.random.default_rng(2).integers(0, 255, (600, 600, channels), dtype=np.uint8)
    pixels = pixels[..., 0] if channels == 1 else pixels
    content = imagecodecs.jpeg8_encode(pixels, lossless=True)
    assert read_jpeg(content)[0].frame == 0xC3
    look = inspect_file(content, name="a.jpg")
    assert [kind for kind, _ in look.findings] == ["colour"] * (channels == 3)
    assert look.pixels == inspect_file(encode(pixels, "PNG"), name="a.png").pixels


@pytest.mark.parametrize("channels", [1, 3])
def test_codes_that_lead_nowhere_give_a_lossless_jpeg_away(channels):
    pixels = draw_picture(60)
    pixels = pixels if channels == 1 else np.stack([pixels, pixels.T, 255 - pixels], axis=2)
    content = imagecodecs.jpeg8_encode(pixels, lossless=True)
    rng = random.Random(0)  # noqa: S311 - the same places each time
    found = [check(flip(content, 3, rng)) for _ in range(200)]
    assert check(content) == []
    assert 20 < sum(map(bool, found)) < 180
    assert {kind for findings in found for kind, _ in findings} == {"damaged"}


@pytest.mark.parametrize("frame", [0xC5, 0xC7, 0xCB, 0xCF, 0])
def test_frames_that_nothing_decodes_are_given_to_no_decoder(frame, monkeypatch):
    import simplejpeg

    content = encode(COLOUR)
    head, _ = read_jpeg(content)
    head.frame = frame
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *_, **__: pytest.fail("decoded"))
    assert check_jpeg_scan(content, head) == []
