"""Inspecting the bytes of an image file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.dicom_syntaxes import is_dicom
from cxr.data.inspection.look import Look
from cxr.digests.canonical import PREFIX, digest_bytes
from cxr.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOOK: Final = DecodePlan(size_px=32, channels=1, resample="bilinear")


def inspect_file(content: bytes, *, name: str) -> Look:
    """Say what an image file is and what is wrong with it.

    Args:
        content: Its bytes.
        name: Its name, whose suffix is held against the content.
    """
    sha256 = digest_bytes(content)
    if not content:
        return Look(num_bytes=0, sha256=sha256, findings=(("empty", "the file has no bytes"),))
    if is_dicom(content, name):
        from cxr.data.inspection.dicom import inspect_dicom

        return inspect_dicom(content, name=name)
    try:
        pixels = decode_image(content, _LOOK, where=name)
    except DataError as error:
        found = (("damaged", error.problem),)
        return Look(num_bytes=len(content), sha256=sha256, findings=found)
    return Look(num_bytes=len(content), sha256=sha256, pixels=digest_pixels(pixels))


def digest_pixels(pixels: NDArray[np.generic]) -> str:
    """Return the digest of upright pixels: of their shape, dtype and little-endian bytes.

    Args:
        pixels: Shape (height, width) or (height, width, channels).
    """
    head = f"{pixels.shape} {pixels.dtype.newbyteorder('<').str}\n".encode()
    state = hashlib.sha256(head)
    state.update(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes())
    return PREFIX + state.hexdigest()
