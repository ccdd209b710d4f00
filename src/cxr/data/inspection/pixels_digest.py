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
    head = f"{pixels.shape} {pixels.dtype.newbyteorder('<').str}\n".encode()
    state = hashlib.sha256(head)
    state.update(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes())
    return PREFIX + state.hexdigest()


def reduce_to_grey(upright: Image) -> Image:
    """Return a picture without channels, bits or tables that say nothing.

    RGB with three equal channels and pictures of two levels become grey, the numbers of a palette
    the colours that they stand for, so that one picture has one digest however it is stored. All
    of it is exact; a picture that is none of these is returned as it is.
    """
    if upright.mode == "1":
        return upright.convert("L")
    if upright.mode == "P":
        opaque = "transparency" not in upright.info
        return reduce_to_grey(upright.convert("RGB" if opaque else "RGBA"))
    if upright.mode == "RGB":
        first = upright.getchannel(0)
        values = first.tobytes()
        if all(upright.getchannel(other).tobytes() == values for other in (1, 2)):
            return first
    return upright
