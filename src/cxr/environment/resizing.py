"""What resizing makes here of pictures that are much taller, or much wider, than what is asked for.

Pillow resizes one direction after the other and rounds to bytes between them, so that their order
shows in the pixels. Pillow 12 shrinks the width first; Pillow 13 the height first, where that
shrinks more than the width. Pictures of about their own proportions do not tell the two apart: the
canaries of `cxr.environment.canaries` are such ones.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cxr.digests.canonical import PREFIX

_SIZES: Final = {"tall": (24, 160), "wide": (160, 24)}
"""Width and height in pixels."""

_RESIZED_PX: Final = 11


def read_resizing() -> dict[str, str]:
    """Resize drawn grey pictures with every filter that a config can name.

    Returns:
        By name of the picture, ``sha256:<hex>`` of the resized uint8 pixels of all filters.
    """
    from PIL import Image

    found: dict[str, str] = {}
    for name, size in _SIZES.items():
        image = Image.frombytes("L", size, draw_picture(*size))
        pixels = b"".join(
            image.resize((_RESIZED_PX, _RESIZED_PX), resample).tobytes()
            for resample in (
                Image.Resampling.BILINEAR,
                Image.Resampling.BICUBIC,
            )
        )
        found[name] = PREFIX + hashlib.sha256(pixels).hexdigest()
    return found


def draw_picture(width: int, height: int) -> bytes:
    """Return grey values, row by row, that are far from smooth and made of integers alone."""
    return bytes(
        (7 * x * x + 13 * y * y + 5 * x * y) % 251 for y in range(height) for x in range(width)
    )
