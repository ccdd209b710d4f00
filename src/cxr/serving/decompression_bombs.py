"""Images of more pixels than a service was told to decode, known before any is decoded.

What `cxr` never decodes, whoever asks, is not asked here: inspection has the words for that.
"""

from __future__ import annotations

from cxr.data.decoding.dicom_header import read_header
from cxr.data.decoding.file_format import is_dicom
from cxr.data.decoding.open_picture import MAX_PIXELS, opened_picture
from cxr.errors import DataError
from cxr.inference.answers import Refusal


def refuse_bomb(content: bytes, *, name: str, max_pixels: int) -> Refusal | None:
    """Return the refusal of an image that claims too many pixels, None for any other.

    What cannot be read at all is None too: whoever inspects it has the words for that.

    Args:
        content: The bytes of its file.
        name: What the answer calls it.
        max_pixels: How many it may claim.
    """
    if max_pixels >= MAX_PIXELS:
        return None
    try:
        width, height = _read_claim(content, name)
    except DataError:
        return None
    if width * height <= max_pixels:
        return None
    detail = f"{width:,} x {height:,} px; {max_pixels:,} pixels at most are decoded"
    return Refusal(path=name, kind="bomb", detail=detail)


def _read_claim(content: bytes, name: str) -> tuple[int, int]:
    """Return the width and height that a header claims.

    Raises:
        DataError: It is no image that is read.
    """
    if is_dicom(content, name):
        header = read_header(content, where=name)
        return header.read_integer("Columns"), header.read_integer("Rows")
    with opened_picture(content, where=name) as picture:
        return picture.size
