"""Augmentation: crop, flip, pad and intensity tables, each an exact integer operation.

Every sample of every epoch has its own stream, ``("augment", epoch, sample)``, so a change of
workers, batch size or order leaves the picture that an image becomes as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import AugmentConfig
from cxr.determinism.streams import derive_key, uint64_matrix
from cxr.determinism.threefry import WORD_MASK

_DRAWS: Final = ("flip", "zoom", "row", "column", "brightness", "contrast")
# Contrast in 16.16 fixed point; brightness in 8-bit steps.
_ONE: Final = 1 << 16
_MIDDLE: Final = 128

_Bytes = NDArray[np.uint8]
_Draws = Mapping[str, NDArray[np.uint64]]


def augment_images(
    images_NHWC: _Bytes,  # noqa: N803 - the suffix names the axes
    table: NDArray[np.float32],
    config: AugmentConfig,
    *,
    seed: int,
    epoch: int,
    indices: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Change images at random and normalise them.

    Args:
        images_NHWC: Decoded images, dtype uint8.
        table: From pixel to float32, shape (256,).
        config: Which changes, and how large.
        seed: The root seed.
        epoch: Zero-based epoch.
        indices: The samples' indices in their split, shape (N,).

    Returns:
        Shape (N, channels, height, width), dtype float32.
    """
    num, height, width, channels = images_NHWC.shape
    keys = [derive_key(seed, "augment", epoch, int(index)) for index in indices]
    draws = dict(zip(_DRAWS, uint64_matrix(keys, len(_DRAWS)).T, strict=True))
    moved = move_images(images_NHWC, config, draws)
    bytes_to_float = table[derive_intensity_tables(config, draws)]
    normalised = np.empty((num, channels, height, width), dtype=np.float32)
    for position in range(num):
        # Every byte has an entry; mode "clip" only spares a copy that "raise" would make.
        moved_CHW = moved[position].transpose(2, 0, 1)  # noqa: N806 - the suffix names the axes
        np.take(bytes_to_float[position], moved_CHW, out=normalised[position], mode="clip")
    return normalised


def move_images(images_NHWC: _Bytes, config: AugmentConfig, draws: _Draws) -> _Bytes:  # noqa: N803
    """Crop, enlarge, shift and mirror images: the same shape, dtype uint8.

    Rows and columns are looked up, never interpolated; what lies outside is black.

    Args:
        images_NHWC: Decoded images, dtype uint8.
        config: Which changes, and how large.
        draws: Of each kind, one draw an image: shape (N,), dtype uint64.
    """
    _, height, width, _ = images_NHWC.shape
    zoom = _scale(draws["zoom"], int(config.zoom * _ONE) + 1)
    rows = _look_up(height, zoom, config.pad, draws["row"])
    columns = _look_up(width, zoom, config.pad, draws["column"])
    if config.flip:
        mirrored = (draws["flip"] & np.uint64(1)).astype(np.bool_)
        columns[mirrored] = columns[mirrored, ::-1]
    moved = np.empty_like(images_NHWC)
    near_rows, near_columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
    for image_HWC, into, row, column in zip(  # noqa: N806 - the suffix names the axes
        images_NHWC, moved, near_rows, near_columns, strict=True
    ):
        image_HWC.take(row, axis=0).take(column, axis=1, out=into, mode="clip")
    if config.pad:
        # Black is 0: what lies outside is multiplied by it.
        moved *= ((rows >= 0) & (rows < height)).view(np.uint8)[:, :, None, None]
        moved *= ((columns >= 0) & (columns < width)).view(np.uint8)[:, None, :, None]
    return moved


def derive_intensity_tables(config: AugmentConfig, draws: _Draws) -> _Bytes:
    """Return the byte that each byte becomes in each image: shape (N, 256), dtype uint8."""
    largest_shift = int(config.brightness * 255)
    largest_slope = int(config.contrast * _ONE)
    shift = _scale(draws["brightness"], 2 * largest_shift + 1) - largest_shift
    slope = _ONE + _scale(draws["contrast"], 2 * largest_slope + 1) - largest_slope
    values = np.arange(256, dtype=np.int64)
    changed = (((values - _MIDDLE) * slope[:, None] + _ONE // 2) >> 16) + _MIDDLE + shift[:, None]
    return changed.clip(0, 255).astype(np.uint8)


def _look_up(
    side_px: int, zoom: NDArray[np.int64], pad_px: int, draw: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Return where each row (or column) is taken from: shape (N, side_px), outside is black.

    ``zoom`` is the share of the side cropped away, in 16.16 fixed point. The crop's corner is
    drawn from all places that it may have within the padded picture.
    """
    crop_px = side_px - ((side_px * zoom) >> 16)
    corner = _scale(draw, side_px + 2 * pad_px - crop_px + 1) - pad_px
    steps = np.arange(side_px, dtype=np.int64) * crop_px[:, None] // side_px
    places: NDArray[np.int64] = corner[:, None] + steps
    return places


def _scale(draw: NDArray[np.uint64], num: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Map 64-bit draws to [0, num) by multiplication; the bias is below num / 2^64.

    It is ``(draw * num) >> 64`` of whole numbers, taken in two halves: exact for num below 2^32.
    """
    factor = np.asarray(num).astype(np.uint64)
    half = np.uint64(32)
    low = ((draw & np.uint64(WORD_MASK)) * factor) >> half
    scaled: NDArray[np.uint64] = ((draw >> half) * factor + low) >> half
    return scaled.astype(np.int64)
