"""Inspecting an image that is pixels already, as a row of an array is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxr.data.inspection.likeness import derive_likeness
from cxr.data.inspection.look import Look
from cxr.data.inspection.picture_findings import find_colour
from cxr.data.inspection.pixels_digest import digest_pixels
from cxr.digests.canonical import digest_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GREY_AXES: Final = 2


def inspect_pixels(pixels: NDArray[np.uint8], *, content: bytes) -> Look:
    """Say what an image is and what is wrong with it.

    A size is not judged here: it is that of the whole array, and whoever made it chose it.

    Args:
        pixels: Grey, shape (height, width), or RGB, shape (height, width, 3); dtype uint8.
        content: The bytes that stand for it, of which a lock has size and digest.
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    first = pixels.reshape(-1)[0]
    findings: tuple[tuple[str, str], ...] = ()
    if (pixels == first).all():
        findings = (("constant", f"every value is {int(first)}"),)
    return Look(
        num_bytes=len(content),
        sha256=digest_bytes(content),
        pixels=digest_pixels(pixels),
        width=width,
        height=height,
        mode="L" if pixels.ndim == _GREY_AXES else "RGB",
        likeness=derive_likeness(Image.fromarray(pixels).convert("L")),
        findings=(*findings, *find_colour(pixels)),
    )
