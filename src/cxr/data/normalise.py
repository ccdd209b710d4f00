"""Pixels to float32 through a table of 256 entries: one rounding, the same on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def derive_pixel_table(mean: float, std: float) -> NDArray[np.float32]:
    """Return ``(value / 255 - mean) / std`` for each byte, rounded once: shape (256,)."""
    return np.array([(value / 255 - mean) / std for value in range(256)], dtype=np.float32)


def normalise_images(
    images_NHWC: NDArray[np.uint8],  # noqa: N803 - the suffix names the axes
    table: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return images as the model takes them: shape (N, channels, height, width), float32."""
    return np.ascontiguousarray(np.take(table, images_NHWC).transpose(0, 3, 1, 2))
