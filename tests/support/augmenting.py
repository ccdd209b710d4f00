"""Augmenting one image with draws that a test chooses."""

from __future__ import annotations

import numpy as np

from cxr.training.augment import derive_intensity_tables, move_images


def move_image(image, config, draw):
    """Move one image: shape (height, width, channels)."""
    return move_images(image[None], config, as_arrays(draw))[0]


def derive_intensity_table(config, draw):
    """Return the byte that each byte becomes: shape (256,)."""
    return derive_intensity_tables(config, as_arrays(draw))[0]


def as_arrays(draw):
    """Return draws of one image as those of several."""
    return {name: np.array([value], dtype=np.uint64) for name, value in draw.items()}
