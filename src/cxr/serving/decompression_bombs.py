"""Images that claim more than is decoded, in pixels or in scans: known before any is decoded."""

from __future__ import annotations

from typing import Final

from cxr.data.decoding.dicom_header import DicomHeader, read_header
from cxr.data.decoding.dicom_syntaxes import is_dicom
from cxr.data.decoding.open_picture import opened_picture
from cxr.data.inspection.file_format import HEAD_BYTES, recognise_format
from cxr.errors import DataError
from cxr.inference.answers import Refusal

MAX_SCANS: Final = 100
"""Of a JPEG; each makes a decoder pass over all of its pixels, and takes a few bytes to write.

Source: libtiff's ``LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER``. Encoders write about ten.
"""

_START_OF_SCAN: Final = b"\xff\xda"
_DICOM_JPEG: Final = "1.2.840.10008.1.2.4.5"
"""What UIDs of JPEG's transfer syntaxes begin with. Source: DICOM PS3.6, annex A."""


def refuse_bomb(content: bytes, *, name: str, max_pixels: int) -> Refusal | None:
    """Return the refusal of an image that claims too much, None for any other.

    What cannot be read at all is None too: whoever inspects it has the words for that.

    Args:
        content: The bytes of its file.
        name: What the answer calls it.
        max_pixels: How many it may claim.
    """
    try:
        width, height, jpeg = _read_claim(content, name)
    except DataError:
        return None
    num_scans = jpeg.count(_START_OF_SCAN)
    if width * height > max_pixels:
        detail = f"{width:,} x {height:,} px; {max_pixels:,} pixels at most are decoded"
    elif num_scans > MAX_SCANS:
        detail = f"{num_scans:,} scans; {MAX_SCANS} at most are decoded"
    else:
        return None
    return Refusal(path=name, kind="bomb", detail=detail)


def _read_claim(content: bytes, name: str) -> tuple[int, int, bytes]:
    """Return the width and height that a header claims, and the bytes of a JPEG, if it is one.

    Raises:
        DataError: It is no image that is read.
    """
    if is_dicom(content, name):
        header = read_header(content, where=name)
        return header.read_integer("Columns"), header.read_integer("Rows"), _find_jpeg(header)
    with opened_picture(content, where=name) as picture:
        jpeg = content if recognise_format(content[:HEAD_BYTES]) == "JPEG" else b""
        return *picture.size, jpeg


def _find_jpeg(header: DicomHeader) -> bytes:
    is_jpeg = header.syntax.startswith(_DICOM_JPEG)
    return (header.elements.get("PixelData") or b"") if is_jpeg else b""
