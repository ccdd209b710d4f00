from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cxr.config.schema import AugmentConfig
from cxr.data.checks.kinds import KINDS
from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.file_format import _MAGIC
from cxr.data.inspection.inspect_file import inspect_file
from cxr.data.normalise import derive_pixel_table
from cxr.errors import DataError
from cxr.training.augment import augment_images
from properties.strategies import examples, seeds
from support.augmenting import derive_intensity_table, move_image
from support.hostile_images import VALID

PLAN = DecodePlan(size_px=8, channels=1, resample="bilinear")
PICTURE = (np.arange(144).reshape(12, 12) * 7 % 256).astype(np.uint8)


def encode(file_format, pixels=PICTURE, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, file_format, **options)
    return stream.getvalue()


FILES = {
    "PNG": encode("PNG"),
    "JPEG": encode("JPEG"),
    "colour JPEG": encode("JPEG", np.stack([PICTURE, PICTURE.T, 255 - PICTURE], axis=2)),
    "progressive JPEG": encode("JPEG", progressive=True),
    "BMP": encode("BMP"),
    "TIFF": encode("TIFF"),
    "packed TIFF": encode("TIFF", compression="tiff_lzw"),
}


@given(st.sampled_from(sorted(VALID)), st.data())
@examples(max_examples=400)
def test_whatever_befalls_a_file_is_said_and_never_raised(what, data):
    name, sound = VALID[what]
    content = bytearray(sound)
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.sampled_from([0, 1, 127, 128, 255]) | st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    look = inspect_file(bytes(content), name=name)
    assert look.num_bytes == len(content)
    assert {kind for kind, _ in look.findings} <= KINDS.keys()
    assert look.pixels or look.findings
    if look.pixels:
        assert look.width > 0
        assert look.height > 0


@given(st.binary(max_size=300), st.sampled_from([b"", *(magic for _, magic, _ in _MAGIC)]))
@examples(max_examples=200)
def test_no_bytes_make_inspection_fail(content, magic):
    look = inspect_file(magic + content, name="a.png")
    assert look.findings or look.pixels


@given(
    st.sampled_from(["JPEG", "progressive JPEG", "PNG", "BMP", "TIFF", "packed TIFF"]), st.data()
)
@examples(max_examples=150)
def test_every_cut_of_a_picture_is_found(what, data):
    name, content = VALID[what]
    size = data.draw(st.integers(0, len(content) - 1))
    kinds = {kind for kind, _ in inspect_file(content[:size], name=name).findings}
    assert kinds & {"empty", "not-an-image", "truncated"}


configs = st.builds(
    AugmentConfig,
    flip=st.booleans(),
    pad=st.integers(0, 4),
    zoom=st.floats(0, 0.89),
    brightness=st.floats(0, 1),
    contrast=st.floats(0, 0.99),
)
draws = st.fixed_dictionaries(
    dict.fromkeys(
        ("flip", "zoom", "row", "column", "brightness", "contrast"), st.integers(0, 2**64 - 1)
    )
)
pictures = st.tuples(
    st.integers(9, 14), st.integers(9, 14), st.sampled_from([1, 3]), st.integers(1, 255)
).map(lambda given: (np.arange(np.prod(given[:3])).reshape(given[:3]) * given[3]).astype(np.uint8))


@given(st.sampled_from(sorted(FILES)), st.data())
@examples(max_examples=300)
def test_a_damaged_image_is_pixels_or_an_error_of_ours(name, data):
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.sampled_from([0, 1, 127, 128, 255]) | st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    with warnings.catch_warnings():
        # Pillow warns of what it mends.
        warnings.simplefilter("ignore")
        with contextlib.suppress(DataError):
            pixels = decode_image(bytes(content), PLAN, where="a.png")
            assert pixels.shape == (8, 8, 1)
            assert pixels.dtype == np.uint8


@given(pictures, configs, draws)
@examples(max_examples=100)
def test_a_moved_picture_holds_its_own_pixels_or_black(picture, config, draw):
    found = move_image(picture, config, draw)
    assert found.shape == picture.shape
    assert found.dtype == np.uint8
    colours = {tuple(pixel) for pixel in picture.reshape(-1, picture.shape[2]).tolist()}
    black = {(0,) * picture.shape[2]} if config.pad else set()
    assert {tuple(pixel) for pixel in found.reshape(-1, picture.shape[2]).tolist()} <= (
        colours | black
    )


@given(configs, draws)
@examples(max_examples=100)
def test_intensities_keep_their_order(config, draw):
    table = derive_intensity_table(config, draw)
    assert table.shape == (256,)
    assert table.dtype == np.uint8
    assert np.all(np.diff(table.astype(int)) >= 0)


@given(pictures, configs, seeds, st.integers(0, 10**6), st.data())
@examples(max_examples=60)
def test_a_sample_becomes_the_same_picture_in_any_batch(picture, config, seed, epoch, data):
    images = np.stack([picture, picture[::-1], picture[:, ::-1]])
    indices = np.array(data.draw(st.lists(st.integers(0, 10**6), min_size=3, max_size=3)))
    table = derive_pixel_table(0.5, 0.25)
    chosen = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=4))
    whole = augment_images(images, table, config, seed=seed, epoch=epoch, indices=indices)
    part = augment_images(
        images[chosen], table, config, seed=seed, epoch=epoch, indices=indices[chosen]
    )
    assert np.array_equal(part, whole[chosen])
