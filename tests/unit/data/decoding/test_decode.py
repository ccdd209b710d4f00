from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.open_picture import MAX_PIXELS
from cxr.errors import DataError
from support.hostile_images import write_chunk, write_png

GREY = DecodePlan(size_px=16, channels=1, resample="bilinear")
COLOUR = DecodePlan(size_px=16, channels=3, resample="bilinear")


def encode(pixels, file_format="PNG", mode=None, **options):
    image = Image.fromarray(pixels)
    if mode is not None:
        image = image.convert(mode)
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


@pytest.fixture
def pixels():
    """A grey picture without any symmetry, of 16 px."""
    rows, columns = np.mgrid[:16, :16]
    return ((rows * 37 + columns * 11 + rows * columns) % 256).astype(np.uint8)


def test_a_picture_of_the_wanted_size_is_decoded_to_its_own_pixels(pixels):
    found = decode_image(encode(pixels), GREY, where="x")
    assert found.shape == (16, 16, 1)
    assert found.dtype == np.uint8
    assert np.array_equal(found[:, :, 0], pixels)


def test_grey_fills_equal_channels_and_comes_back_from_them(pixels):
    colour = decode_image(encode(pixels), COLOUR, where="x")
    assert colour.shape == (16, 16, 3)
    assert all(np.array_equal(colour[:, :, channel], pixels) for channel in range(3))
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    back = decode_image(encode(np.stack([every] * 3, axis=2)), GREY, where="x")
    assert np.array_equal(back[:, :, 0], every)


def test_colour_becomes_grey_by_the_weights_that_the_docs_state():
    rng = np.random.default_rng(3)
    colour = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    weights = np.array([19_595, 38_470, 7_471])
    expected = (colour.astype(np.int64) @ weights + 32_768) >> 16
    found = decode_image(encode(colour), GREY, where="x")
    assert np.array_equal(found[:, :, 0], expected)


def test_colour_stays_in_its_channels(pixels):
    colour = np.stack([pixels, pixels.T, 255 - pixels], axis=2)
    assert np.array_equal(decode_image(encode(colour), COLOUR, where="x"), colour)


def test_a_picture_of_two_levels_is_grey(pixels):
    found = decode_image(encode(pixels, mode="1"), GREY, where="x")
    assert set(np.unique(found)) == {0, 255}


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
def test_another_size_is_resized_as_pillow_does_it(pixels, resample):
    plan = DecodePlan(size_px=9, channels=1, resample=resample)
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    wanted = np.asarray(Image.fromarray(pixels).resize((9, 9), filters[resample]))
    assert np.array_equal(decode_image(encode(pixels), plan, where="x")[:, :, 0], wanted)


def test_the_two_filters_differ(pixels):
    plans = [DecodePlan(size_px=9, channels=1, resample=name) for name in ("bilinear", "bicubic")]
    a, b = (decode_image(encode(pixels), plan, where="x") for plan in plans)
    assert not np.array_equal(a, b)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.T),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).T),
        (8, np.rot90),
    ],
)
def test_a_picture_is_turned_as_its_exif_says(pixels, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode_image(encode(pixels, exif=exif), GREY, where="x")
    assert np.array_equal(found[:, :, 0], turn(pixels))


def test_orientation_in_xmp_counts_as_well(pixels):
    xmp = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    body = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp
    plain = encode(pixels)
    # Behind the pixels, where it is known only after loading.
    content = plain[:-12] + write_chunk(b"iTXt", body) + plain[-12:]
    found = decode_image(content, GREY, where="x")
    assert np.array_equal(found[:, :, 0], np.rot90(pixels, -1))


def test_colour_of_sixteen_bits_is_refused_though_pillow_opens_it_as_eight():
    rows = b"".join(b"\0" + bytes(range(192)) for _ in range(32))
    content = write_png(32, 32, zlib.compress(rows), depth=16, colour=2)
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "RGB"
    with pytest.raises(DataError, match="samples of more than 8 bits"):
        decode_image(content, COLOUR, where="x")


@pytest.mark.parametrize(("depth", "step"), [(1, 255), (2, 85), (4, 17)])
def test_few_bits_of_grey_are_spread_over_all_levels(depth, step):
    # Each row counts up through all levels, again and again.
    levels = np.arange(16) % 2**depth
    bits = "".join(f"{level:0{depth}b}" for level in levels)
    row = b"\0" + int(bits, 2).to_bytes(2 * depth, "big")
    content = write_png(16, 16, zlib.compress(row * 16), depth=depth)
    found = decode_image(content, GREY, where="x")
    assert found[0, :, 0].tolist() == (levels * step).tolist()


@pytest.mark.parametrize("file_format", ["WEBP", "GIF", "PPM", "JPEG2000"])
def test_formats_that_are_not_inspected_are_not_decoded(pixels, file_format):
    with pytest.raises(DataError, match="cannot be decoded: not an image"):
        decode_image(encode(pixels, file_format), GREY, where="x")


def test_the_limit_is_what_pillow_warns_of():
    assert MAX_PIXELS == Image.MAX_IMAGE_PIXELS
    content = write_png(10_000, 10_000, zlib.compress(b""), depth=1)
    with pytest.raises(DataError, match="claims 10000 x 10000 pixels"):
        decode_image(content, GREY, where="x")


def test_a_large_jpeg_is_decoded_whole_before_it_is_made_small():
    # A decoder that is allowed to draft would decode it at an eighth of its size.
    rows, columns = np.mgrid[:256, :256]
    large = ((rows * rows * 31 + columns * 17 + rows * columns) % 256).astype(np.uint8)
    content = encode(large, "JPEG")
    with Image.open(io.BytesIO(content)) as image:
        whole = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
    with Image.open(io.BytesIO(content)) as image:
        image.draft("L", (16, 16))
        drafted = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
    assert not np.array_equal(drafted, whole)
    assert np.array_equal(decode_image(content, GREY, where="x")[:, :, 0], whole)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "I;16"])
def test_a_mode_that_needs_a_choice_is_refused_by_its_name(pixels, mode):
    if mode == "I;16":
        content = encode(pixels.astype(np.uint16) * 257)
    else:
        content = encode(pixels, "JPEG" if mode == "CMYK" else "PNG", mode=mode)
    with pytest.raises(DataError, match=f"has the mode {mode}, neither 8-bit grey nor RGB"):
        decode_image(content, GREY, where="x")


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_picture_with_a_transparent_colour_is_refused(pixels, mode):
    colour = (1, 2, 3) if mode == "RGB" else 1
    with pytest.raises(DataError, match="an image has a colour that counts as transparent"):
        decode_image(encode(pixels, mode=mode, transparency=colour), GREY, where="x")


def test_a_picture_of_several_frames_is_refused(pixels):
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    stream = io.BytesIO()
    frames[0].save(stream, "TIFF", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="an image has 2 frames"):
        decode_image(stream.getvalue(), GREY, where="x")


def test_a_picture_that_claims_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    side = int(MAX_PIXELS**0.5) + 1
    content = bytearray(encode(np.zeros((1, 1), dtype=np.uint8), "BMP"))
    struct.pack_into("<ii", content, 18, side, side)
    with pytest.raises(DataError, match=f"an image claims {side} x {side} pix"):
        decode_image(bytes(content), GREY, where="x")


def test_a_bomb_that_pillow_refuses_is_an_error_of_ours(monkeypatch, pixels):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DataError, match=r"an image cannot be decoded: .*decompression bomb"):
        decode_image(encode(pixels), GREY, where="x")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "BMP", "TIFF"])
def test_every_cut_of_a_file_is_an_error_that_names_it(pixels, file_format):
    content = encode(pixels, file_format)
    for size in (0, 1, 10, len(content) // 2):
        with pytest.raises(DataError, match=r"^an image ") as caught:
            decode_image(content[:size], GREY, where="train/a.png")
        assert caught.value.where == "train/a.png"


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_what_is_no_image_is_an_error_on_one_line(content):
    with pytest.raises(DataError, match="an image cannot be decoded") as caught:
        decode_image(content, GREY, where="x")
    assert "\n" not in caught.value.problem
