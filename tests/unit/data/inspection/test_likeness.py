from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from cxr.data.checks.near_search import MAX_DISTANCE
from cxr.data.drawing.radiographs import SynthPlan, write_dataset
from cxr.data.inspection.likeness import NUM_BITS, _prepare_transform, derive_likeness

BILINEAR = Image.Resampling.BILINEAR


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Some drawn radiographs, grey."""
    root = tmp_path_factory.mktemp("drawn") / "images"
    write_dataset(root, SynthPlan(seed=3, size_px=128, train=8, val=4, test=4))
    return [Image.open(file).convert("L") for file in sorted(root.rglob("*.jpeg"))]


def save_again(picture, quality):
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(io.BytesIO(stream.getvalue())).convert("L")


CHANGES = {
    "saved again": lambda picture: save_again(picture, 60),
    "smaller": lambda picture: picture.resize((115, 115), BILINEAR),
    "larger": lambda picture: picture.resize((141, 141), BILINEAR),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.05),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.95),
    "more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.1),
    "cropped": lambda picture: picture.crop((1, 1, 127, 127)),
    "a row less": lambda picture: picture.crop((0, 0, 128, 127)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_stays_near(pictures, change):
    for picture in pictures:
        before, after = derive_likeness(picture), derive_likeness(CHANGES[change](picture))
        assert (before ^ after).bit_count() <= MAX_DISTANCE


def test_other_pictures_are_far(pictures):
    likenesses = [derive_likeness(picture) for picture in pictures]
    distances = [(a ^ b).bit_count() for a in likenesses for b in likenesses if a != b]
    assert len(distances) == len(pictures) * (len(pictures) - 1)
    assert min(distances) > MAX_DISTANCE


def test_a_colour_copy_with_equal_channels_is_the_same(pictures):
    assert derive_likeness(pictures[0].convert("RGB").convert("L")) == derive_likeness(pictures[0])


def test_it_agrees_with_a_cosine_transform_in_floating_point(pictures):
    from scipy.fft import dctn

    cells = np.asarray(pictures[0].resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    waves = dctn(cells)
    order = sorted(
        ((row, column) for row in range(32) for column in range(32)),
        key=lambda wave: (wave[0] + wave[1], wave[0]),
    )[1 : NUM_BITS + 1]
    bits = f"{derive_likeness(pictures[0]):0{NUM_BITS}b}"
    clear = [
        (waves[wave] > 0, bit)
        for wave, bit in zip(order, bits, strict=True)
        if abs(waves[wave]) > 10
    ]
    assert len(clear) > 200
    assert all(sign == (bit == "1") for sign, bit in clear)


def test_its_bits_are_the_same_everywhere():
    cells = np.add.outer(np.arange(32) ** 2 % 61, np.arange(32) ** 3 % 53) * np.arange(32) % 251
    found = derive_likeness(Image.fromarray(cells.astype(np.uint8)))
    assert found == int("012062094d01f85c2a73f1ff7907f9a0af0f89af1a3348a7aa6b745ce9a6a139", 16)


def test_brightness_alone_is_in_no_bit():
    cosines, order = _prepare_transform()
    assert len(set(order.tolist())) == NUM_BITS
    assert 0 not in order
    assert not np.any(cosines[1:].sum(axis=1))


@pytest.mark.parametrize(
    "cells",
    [
        np.zeros((40, 40)),
        np.full((40, 40), 255),
        np.eye(40) * 7,
        np.tile(np.arange(40) * 6, (40, 1)),
        np.tile(np.arange(40) % 2 * 200, (40, 1)).T,
    ],
    ids=["black", "white", "nearly black", "a ramp", "stripes"],
)
def test_a_picture_with_too_little_in_it_has_no_likeness(cells):
    assert derive_likeness(Image.fromarray(cells.astype(np.uint8))) is None
