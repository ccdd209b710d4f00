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


def read_pixels(upright: Image) -> NDArray[np.generic]:
    """Return a picture's pixels without channels, bits or tables that say nothing.

    RGB with three equal channels and pictures of two levels become grey, the numbers of a palette
    the colours that they stand for, so that one picture has one digest however it is stored. All
    of it is exact.

    Returns:
        Shape (height, width), or (height, width, channels) where the channels differ.
    """
    import numpy as np

    if upright.mode == "P":
        opaque = "transparency" not in upright.info
        return read_pixels(upright.convert("RGB" if opaque else "RGBA"))
    pixels = np.asarray(upright.convert("L") if upright.mode == "1" else upright)
    if upright.mode != "RGB":
        return pixels
    red = pixels[:, :, 0]
    grey = all(np.array_equal(red, pixels[:, :, other]) for other in (1, 2))
    return np.ascontiguousarray(red) if grey else pixels
