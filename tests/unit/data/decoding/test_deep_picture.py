from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.window import Window
from cxr.errors import DataError

WINDOW = Window(kind="range", low=1000, high=2000)
PERCENTILE = Window(kind="percentile", low=10, high=90)
VALUES = (np.arange(256, dtype=np.int64) * 13).reshape(16, 16)


def encode(values, file_format, **options):
    stream = io.BytesIO()
    picture = values if isinstance(values, Image.Image) else Image.fromarray(values)
    picture.save(stream, file_format, **options)
    return stream.getvalue()


def decode(content, window, channels=1):
    plan = DecodePlan(size_px=16, channels=channels, resample="bilinear", window=window)
    return decode_image(content, plan, where="train/a.png")[:, :, 0]


DEEP = {
    "I;16": lambda: encode(VALUES.astype(np.uint16), "PNG"),
    "I;16B": lambda: encode(Image.fromarray(VALUES.astype(">u2")), "TIFF"),
    "I": lambda: encode(VALUES.astype(np.int32), "TIFF"),
    "F": lambda: encode(VALUES.astype(np.float32), "TIFF"),
}


@pytest.mark.parametrize("mode", DEEP)
def test_a_deep_picture_is_read_through_its_window(mode):
    content = DEEP[mode]()
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.mode == mode
    wanted = np.clip(np.floor(255 * (VALUES - 1000) / 1000 + 0.5), 0, 255)
    assert np.array_equal(decode(content, WINDOW), wanted)


@pytest.mark.parametrize("mode", DEEP)
def test_percentiles_are_values_of_the_picture_itself(mode):
    # Of 256 values, the 26th and the 231st are the least that 10 and 90 % do not exceed.
    low, high = 25 * 13, 230 * 13
    found = decode(DEEP[mode](), PERCENTILE)
    assert np.array_equal(found, decode(DEEP[mode](), Window(kind="range", low=low, high=high)))
    assert (found == 0).sum() == 26


@pytest.mark.parametrize("mode", DEEP)
def test_without_a_window_a_deep_picture_is_refused(mode):
    with pytest.raises(DataError, match=f"has the mode {mode}, neither") as caught:
        decode(DEEP[mode](), None)
    assert caught.value.where == "train/a.png"
    with pytest.raises(DataError, match="only DICOM files name one"):
        decode(DEEP[mode](), Window(kind="file"))


def test_a_picture_of_8_bits_has_been_windowed_already():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decode(encode(values, "PNG"), WINDOW), values)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(value):
    values = VALUES.astype(np.float32)
    values[3, 4] = value
    with pytest.raises(DataError, match="not finite"):
        decode(encode(values, "TIFF"), WINDOW)


def test_a_picture_in_which_0_is_white_is_refused():
    content = encode(VALUES.astype(np.uint16), "TIFF", tiffinfo={262: 0})
    with pytest.raises(DataError, match="0 is white"):
        decode(content, WINDOW)


def test_a_deep_picture_is_turned_before_its_window():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(encode(VALUES.astype(np.uint16), "PNG", exif=exif), WINDOW)
    assert np.array_equal(turned, np.rot90(decode(DEEP["I;16"](), WINDOW), -1))


def test_the_window_names_the_plan_only_where_there_is_one():
    # So that caches of before there were windows keep their names.
    plain = DecodePlan(size_px=16, channels=1, resample="bilinear")
    assert plain.describe() == {"size_px": 16, "channels": 1, "resample": "bilinear"}
    windowed = DecodePlan(size_px=16, channels=1, resample="bilinear", window=WINDOW)
    assert windowed.describe()["window"] == {"kind": "range", "low": 1000, "high": 2000}
