"""Augmentation: crop, flip, pad and intensity tables, each an exact integer operation.

Every sample of every epoch has its own stream, ``("augment", epoch, sample)``, so a change of
workers, batch size or order leaves the picture that an image becomes as it was.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import AugmentConfig
from cxr.determinism.streams import derive_key, uint64_matrix

_DRAWS: Final = ("flip", "zoom", "row", "column", "brightness", "contrast")
_BLACK: Final = 0
# Contrast in 16.16 fixed point; brightness in 8-bit steps.
_ONE: Final = 1 << 16
_MIDDLE: Final = 128

_Bytes = NDArray[np.uint8]


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
    draws = uint64_matrix(keys, len(_DRAWS))
    normalised = np.empty((num, channels, height, width), dtype=np.float32)
    for position in range(num):
        draw = dict(zip(_DRAWS, (int(value) for value in draws[position]), strict=True))
        moved = move_image(images_NHWC[position], config, draw)
        bytes_to_float = table[derive_intensity_table(config, draw)]
        normalised[position] = np.take(bytes_to_float, moved).transpose(2, 0, 1)
    return normalised


def move_image(image_HWC: _Bytes, config: AugmentConfig, draw: dict[str, int]) -> _Bytes:  # noqa: N803
    """Crop, enlarge, shift and mirror one image: the same shape, dtype uint8.

    Rows and columns are looked up, never interpolated; what lies outside is black.
    """
    height, width, _ = image_HWC.shape
    zoom = _scale(draw["zoom"], int(config.zoom * _ONE) + 1)
    rows = _look_up(height, zoom, config.pad, draw["row"])
    columns = _look_up(width, zoom, config.pad, draw["column"])
    if config.flip and draw["flip"] & 1:
        columns = columns[::-1]
    if not config.pad:
        return image_HWC.take(rows, axis=0).take(columns, axis=1)
    inside_rows, inside_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    moved = image_HWC.take(rows.clip(0, height - 1), axis=0).take(
        columns.clip(0, width - 1), axis=1
    )
    moved[~inside_rows] = _BLACK
    moved[:, ~inside_columns] = _BLACK
    return moved


def derive_intensity_table(config: AugmentConfig, draw: dict[str, int]) -> _Bytes:
    """Return the byte that each byte becomes: shape (256,), dtype uint8."""
    largest_shift = int(config.brightness * 255)
    largest_slope = int(config.contrast * _ONE)
    shift = _scale(draw["brightness"], 2 * largest_shift + 1) - largest_shift
    slope = _ONE + _scale(draw["contrast"], 2 * largest_slope + 1) - largest_slope
    values = np.arange(256, dtype=np.int64)
    changed = (((values - _MIDDLE) * slope + _ONE // 2) >> 16) + _MIDDLE + shift
    return changed.clip(0, 255).astype(np.uint8)


def _look_up(side_px: int, zoom: int, pad_px: int, draw: int) -> NDArray[np.int64]:
    """Return where each row (or column) is taken from: shape (side_px,), outside is black.

    ``zoom`` is the share of the side cropped away, in 16.16 fixed point. The crop's corner is
    drawn from all places that it may have within the padded picture.
    """
    crop_px = side_px - ((side_px * zoom) >> 16)
    corner = _scale(draw, side_px + 2 * pad_px - crop_px + 1) - pad_px
    return corner + (np.arange(side_px, dtype=np.int64) * crop_px) // side_px


def _scale(draw: int, num: int) -> int:
    """Map a 64-bit draw to [0, num) by multiplication; the bias is below num / 2^64."""
    return (draw * num) >> 64
