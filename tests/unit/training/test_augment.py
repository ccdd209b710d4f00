from __future__ import annotations

import numpy as np
import pytest

from cxr.config.schema import AugmentConfig
from cxr.data.normalise import derive_pixel_table, normalise_images
from cxr.digests.canonical import digest_bytes
from cxr.training.augment import augment_images
from support.augmenting import derive_intensity_table, move_image

OFF = AugmentConfig()
EVERYTHING = AugmentConfig(flip=True, pad=3, zoom=0.3, brightness=0.3, contrast=0.3)
TABLE = derive_pixel_table(0.5, 0.25)
TOP = 2**64 - 1
HALF = 2**63
STILL = dict.fromkeys(("flip", "zoom", "row", "column", "brightness", "contrast"), 0)


@pytest.fixture(scope="module")
def images():
    """Ten pictures of 12 x 10 px in two channels, every pixel of its own value where it can be."""
    return (np.arange(10 * 12 * 10 * 2) * 7 % 251).astype(np.uint8).reshape(10, 12, 10, 2)


def augment(images, config=EVERYTHING, *, seed=1, epoch=0, indices=None):
    numbers = np.arange(len(images)) if indices is None else np.array(indices)
    chosen = images if indices is None else images[numbers]
    return augment_images(chosen, TABLE, config, seed=seed, epoch=epoch, indices=numbers)


# Who is changed how


def test_with_everything_off_images_are_only_normalised(images):
    found = augment(images, OFF)
    assert np.array_equal(found, normalise_images(images, TABLE))
    assert found.dtype == np.float32
    assert found.shape == (10, 2, 12, 10)
    assert found.flags.c_contiguous


def test_the_same_sample_of_the_same_epoch_is_changed_alike(images):
    assert np.array_equal(augment(images), augment(images))


def test_a_sample_does_not_depend_on_its_batch(images):
    whole = augment(images)
    order = [7, 2, 9]
    assert np.array_equal(augment(images, indices=order), whole[order])
    assert np.array_equal(augment(images, indices=[2]), whole[[2]])


def test_another_epoch_changes_the_same_sample_otherwise(images):
    first, second = augment(images, epoch=0), augment(images, epoch=1)
    assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_another_seed_changes_the_same_sample_otherwise(images):
    first, second = augment(images, seed=1), augment(images, seed=2)
    assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_equal_images_are_changed_differently(images):
    same = np.repeat(images[:1], 8, axis=0)
    found = augment(same)
    assert len({image.tobytes() for image in found}) == 8


def test_every_other_image_is_flipped_about(images):
    same = np.repeat(images[:1], 400, axis=0)
    found = augment(same, AugmentConfig(flip=True))
    still = normalise_images(images[:1], TABLE)[0]
    flipped = [np.array_equal(image, still[:, :, ::-1]) for image in found]
    kept = [np.array_equal(image, still) for image in found]
    assert sum(flipped) + sum(kept) == 400
    assert 150 < sum(flipped) < 250


@pytest.mark.parametrize("field", ["zoom", "brightness", "contrast", "flip"])
def test_turning_one_change_on_does_not_shift_the_draws_of_another(field):
    # The pictures that pad moves are moved alike, whatever else is asked for.
    config = EVERYTHING.model_copy(update={"zoom": 0.0, "flip": False})
    config = config.model_copy(update={"brightness": 0.0, "contrast": 0.0})
    marked = np.zeros((20, 9, 9, 1), dtype=np.uint8)
    marked[:, 4, 4] = 255
    value = True if field == "flip" else 0.05
    before = augment(marked, config)
    after = augment(marked, config.model_copy(update={field: value}))
    rows_before = np.argmax(before.max(axis=3)[:, 0], axis=1)
    rows_after = np.argmax(after.max(axis=3)[:, 0], axis=1)
    assert np.array_equal(rows_before, rows_after)
    assert len(set(rows_before.tolist())) > 3


def test_known_pixels_stay_as_they_are(images):
    found = augment(images, seed=42)
    assert digest_bytes(found.tobytes()) == (
        "sha256:4a1fc18a7855ae9a7119c178137311607b8d516d18c2e9ad9b2c175282f86755"
    )


# Moves


def test_a_flip_mirrors_left_and_right(images):
    config = AugmentConfig(flip=True)
    assert np.array_equal(move_image(images[0], config, {**STILL, "flip": 1}), images[0][:, ::-1])
    assert np.array_equal(move_image(images[0], config, {**STILL, "flip": 2}), images[0])
    assert np.array_equal(move_image(images[0], OFF, {**STILL, "flip": 1}), images[0])


@pytest.mark.parametrize("row", range(7))
@pytest.mark.parametrize("column", [0, 3, 6])
@pytest.mark.parametrize("flip", [0, 1])
def test_a_pad_is_a_crop_of_the_padded_picture(images, row, column, flip):
    config = AugmentConfig(pad=3, flip=True)
    draw = {**STILL, "flip": flip, "row": choose(row, 7), "column": choose(column, 7)}
    padded = np.pad(images[0], ((3, 3), (3, 3), (0, 0)))
    cropped = padded[row : row + 12, column : column + 10]
    wanted = cropped[:, ::-1] if flip else cropped
    assert np.array_equal(move_image(images[0], config, draw), wanted)


def choose(number, of):
    """Return a draw that is mapped to ``number`` of ``of``."""
    return (number * 2**64 + of // 2) // of + 1


@pytest.mark.parametrize("zoom", [TOP, HALF])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (TOP, TOP), (0, TOP), (HALF, 0)])
def test_a_zoom_is_a_crop_enlarged_without_interpolation(images, zoom, row, column):
    config = AugmentConfig(zoom=0.5)
    draw = {**STILL, "zoom": zoom, "row": row, "column": column}
    share = (zoom * (2**15 + 1)) >> 64
    height, width = (side - ((side * share) >> 16) for side in (12, 10))
    top = (row * (12 - height + 1)) >> 64
    left = (column * (10 - width + 1)) >> 64
    crop = images[0][top : top + height, left : left + width]
    rows = [y * height // 12 for y in range(12)]
    columns = [x * width // 10 for x in range(10)]
    assert np.array_equal(move_image(images[0], config, draw), crop[rows][:, columns])


def test_the_largest_zoom_halves_the_sides_and_doubles_each_pixel(images):
    found = move_image(images[0], AugmentConfig(zoom=0.5), {**STILL, "zoom": TOP})
    assert np.array_equal(found, np.kron(images[0][:6, :5], np.ones((2, 2, 1), dtype=np.uint8)))


def test_no_zoom_and_no_pad_are_the_picture_itself(images):
    draw = dict.fromkeys(STILL, TOP)
    assert np.array_equal(move_image(images[0], OFF, draw), images[0])
    assert np.array_equal(move_image(images[0], AugmentConfig(zoom=0.5), STILL), images[0])


def test_the_given_picture_is_left_as_it_was(images):
    before = images.copy()
    augment(images)
    move_image(images[0], EVERYTHING, dict.fromkeys(STILL, TOP))
    assert np.array_equal(images, before)


# Intensities


def test_no_brightness_and_no_contrast_keep_every_byte():
    for draw in (STILL, dict.fromkeys(STILL, TOP)):
        assert derive_intensity_table(OFF, draw).tolist() == list(range(256))


@pytest.mark.parametrize(("draw", "shift"), [(0, -51), (HALF, 0), (TOP, 51)])
def test_brightness_shifts_and_saturates(draw, shift):
    table = derive_intensity_table(AugmentConfig(brightness=0.2), {**STILL, "brightness": draw})
    assert table.tolist() == [min(255, max(0, value + shift)) for value in range(256)]


@pytest.mark.parametrize(("draw", "slope"), [(0, 0.5), (HALF, 1.0), (TOP, 1.5)])
def test_contrast_turns_about_the_middle(draw, slope):
    table = derive_intensity_table(AugmentConfig(contrast=0.5), {**STILL, "contrast": draw})
    wanted = np.floor((np.arange(256) - 128) * slope + 0.5) + 128
    assert np.array_equal(table, wanted.clip(0, 255))
    assert table[128] == 128
