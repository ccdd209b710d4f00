"""The digest of a picture's pixels, which does not depend on the file that holds them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cxr.digests.canonical import PREFIX

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


def digest_pixels(pixels: NDArray[np.generic]) -> str:
    """Return the digest of upright pixels: of their shape, dtype and little-endian bytes.

    Args:
        pixels: Shape (height, width) or (height, width, channels).
    """
    import numpy as np

    head = f"{pixels.shape} {pixels.dtype.newbyteorder('<').str}\n".encode()
    state = hashlib.sha256(head)
    little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    state.update(np.ascontiguousarray(little).data)
    return PREFIX + state.hexdigest()


def simplify_picture(upright: Image) -> tuple[Image, NDArray[np.generic]]:
    """Return a picture without channels, bits or tables that say nothing, and its pixels.

    RGB with three equal channels and pictures of two levels become grey, the numbers of a palette
    the colours that they stand for, so that one picture has one digest however it is stored. All
    of it is exact.

    Returns:
        The picture, and an array of shape (height, width) or (height, width, channels), which must
        not be changed: the two may share their memory.
    """
    import numpy as np

    if upright.mode == "P":
        opaque = "transparency" not in upright.info
        return simplify_picture(upright.convert("RGB" if opaque else "RGBA"))
    if upright.mode == "RGB":
        # Each channel once, without an image in between: this is done to every picture.
        red = upright.tobytes("raw", "R")
        if red == upright.tobytes("raw", "G") and red == upright.tobytes("raw", "B"):
            from PIL import Image

            grey = Image.frombuffer("L", upright.size, red, "raw", "L", 0, 1)
            return grey, np.frombuffer(red, dtype=np.uint8).reshape(upright.height, upright.width)
    simple = upright.convert("L") if upright.mode == "1" else upright
    return simple, np.asarray(simple)
