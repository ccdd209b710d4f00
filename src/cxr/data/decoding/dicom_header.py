"""The header of a DICOM image: the elements that pixels depend on, and no others.

pydicom is asked for those elements alone, so names, dates and numbers of patients are never read.
Values are taken from the bytes here: what is wrong with one can be said without quoting it.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from cxr.data.decoding.dicom_library import import_pydicom, list_faults
from cxr.data.decoding.dicom_refusal import DicomRefusedError
from cxr.data.decoding.dicom_syntaxes import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    find_syntax,
    has_prefix,
    require_decoder,
)

TAGS: Final[dict[str, int]] = {
    "SamplesPerPixel": 0x0028_0002,
    "PhotometricInterpretation": 0x0028_0004,
    "PlanarConfiguration": 0x0028_0006,
    "NumberOfFrames": 0x0028_0008,
    "Rows": 0x0028_0010,
    "Columns": 0x0028_0011,
    "BitsAllocated": 0x0028_0100,
    "BitsStored": 0x0028_0101,
    "HighBit": 0x0028_0102,
    "PixelRepresentation": 0x0028_0103,
    "PixelPaddingValue": 0x0028_0120,
    "PixelPaddingRangeLimit": 0x0028_0121,
    "BurnedInAnnotation": 0x0028_0301,
    "WindowCenter": 0x0028_1050,
    "WindowWidth": 0x0028_1051,
    "RescaleIntercept": 0x0028_1052,
    "RescaleSlope": 0x0028_1053,
    "VOILUTFunction": 0x0028_1056,
    "ModalityLUTSequence": 0x0028_3000,
    "VOILUTSequence": 0x0028_3010,
    "FloatPixelData": 0x7FE0_0008,
    "DoubleFloatPixelData": 0x7FE0_0009,
    "PixelData": 0x7FE0_0010,
}
"""Source: DICOM PS3.3 sections C.7.6.3, C.7.5.1, C.11.1 and C.11.2."""

_PIXEL_TAG: Final = b"\xe0\x7f\x10\x00"
"""As it stands in a file: what is compressed is little endian."""

_SHORT_READS: Final = (struct.error, OSError)
"""What pydicom raises where too few bytes are left for an element's head, or for a sequence's."""

_UNDEFINED_LENGTH: Final = 0xFFFF_FFFF
_DELIMITER_BYTES: Final = 8

# A decimal string has 16 characters; some writers use more. Source: DICOM PS3.5 section 6.2.
_DECIMAL: Final = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,3})?")


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """The elements of one file that its pixels depend on.

    Attributes:
        syntax: UID of the transfer syntax.
        elements: By keyword, the bytes of those that the file has; None for a sequence.
        little: Whether numbers in it are little endian.
        pixel_vr: The value representation of the pixels, ``OB`` or ``OW``.
        where: The file, for an error.
    """

    syntax: str
    elements: dict[str, bytes | None]
    little: bool
    pixel_vr: str
    where: str

    def has(self, keyword: str) -> bool:
        """Say whether the file has an element that is not empty."""
        return self.elements.get(keyword, b"") != b""

    def read_integer(self, keyword: str, default: int | None = None) -> int:
        """Return an unsigned integer of 16 bits.

        Raises:
            DicomRefusedError: It is missing without a default, or no such number.
        """
        content = self.elements.get(keyword) or b""
        if not content and default is not None:
            return default
        if len(content) != 2:  # noqa: PLR2004 - bytes of 16 bits
            raise self.refuse("damaged", f"a DICOM header lacks {keyword}, or it is no number")
        return int.from_bytes(content, "little" if self.little else "big")

    def read_text(self, keyword: str) -> str:
        """Return a text of the standard's own terms, as it stands; never to be shown as it is."""
        content = self.elements.get(keyword) or b""
        return content.decode("ascii", "replace").strip(" \0")

    def read_decimal(self, keyword: str) -> Fraction | None:
        """Return the first of an element's decimal numbers exactly, or None where it has none.

        Raises:
            DicomRefusedError: It is no number.
        """
        text = self.read_text(keyword).split("\\")[0].strip()
        if not text:
            return None
        if _DECIMAL.fullmatch(text) is None:
            raise self.refuse("damaged", f"a DICOM header's {keyword} is no number")
        return Fraction(text)

    def refuse(self, kind: str, problem: str, hint: str = "") -> DicomRefusedError:
        """Return an error about this file."""
        return DicomRefusedError(kind, problem, where=self.where, hint=hint)


def read_header(content: bytes, *, where: str) -> DicomHeader:
    """Read the elements that pixels depend on.

    A file without DICOM's prefix is read as far as it has the elements of an image.

    Args:
        content: The bytes of the file.
        where: The file, for an error.

    Raises:
        DicomRefusedError: pydicom is missing, the file is no DICOM image, is cut short, or is
            compressed in a way that nothing here decodes.
    """
    syntax = find_syntax(content)
    if syntax:
        require_decoder(syntax, where=where)
    pydicom = import_pydicom(where=where)
    stream = io.BytesIO(content)
    try:
        read = pydicom.dcmread(stream, force=True, specific_tags=[*TAGS.values()])
        elements, little, pixel_vr = _take_elements(read)
        implicit, _ = read.original_encoding
        is_cut = _is_cut(pydicom, read, content)
    except list_faults(pydicom) as fault:
        is_cut = isinstance(fault, _SHORT_READS) and stream.tell() >= len(content)
        # From None: what the library said may quote an element.
        raise _explain_unread(is_cut=is_cut, marked=has_prefix(content), where=where) from None
    if is_cut:
        raise DicomRefusedError("truncated", "a DICOM file ends within its pixels", where=where)
    if not syntax:
        plain = IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE
        syntax = plain if little else EXPLICIT_BIG
    header = DicomHeader(
        syntax=syntax, elements=elements, little=little, pixel_vr=pixel_vr, where=where
    )
    _require_image(header, marked=has_prefix(content))
    return header


def _explain_unread(*, is_cut: bool, marked: bool, where: str) -> DicomRefusedError:
    """Return the error of a file whose elements pydicom could not go through."""
    if marked and is_cut:
        return DicomRefusedError("truncated", "a DICOM file ends within an element", where=where)
    problem = "a DICOM file cannot be read: its elements do not follow one another"
    return DicomRefusedError("damaged" if marked else "not-an-image", problem, where=where)


def _is_cut(pydicom: Any, read: Any, content: bytes) -> bool:
    """Say whether a file ends within its compressed part, or within the delimiter behind that.

    A delimiter has a tag and a length, which is 0; as for pydicom and DCMTK, any other will do.
    Source: DICOM PS3.5 sections 7.5.1 and A.4.
    """
    pixels = TAGS["PixelData"]
    if pixels in read:
        item = read.get_item(pixels)
        if not isinstance(item.value, bytes) or item.length != _UNDEFINED_LENGTH:
            return False
        end: int = item.value_tell + len(item.value) + _DELIMITER_BYTES
        return len(content) < end
    if not has_prefix(content):
        return False
    # Of a file that ends within them pydicom keeps no element at all.
    stream = io.BytesIO(content)
    pydicom.dcmread(stream, force=True, stop_before_pixels=True, specific_tags=[pixels])
    return content.startswith(_PIXEL_TAG, stream.tell())


def _take_elements(read: Any) -> tuple[dict[str, bytes | None], bool, str]:
    """Return the bytes of each element, their byte order, and how pixels are represented."""
    elements: dict[str, bytes | None] = {}
    little, pixel_vr = True, "OW"
    for keyword, tag in TAGS.items():
        if tag not in read:
            continue
        item = read.get_item(tag)
        value = item.value
        elements[keyword] = bytes(value) if isinstance(value, bytes | bytearray) else None
        little = getattr(item, "is_little_endian", little)
        if keyword == "PixelData":
            pixel_vr = item.VR or "OW"
    return elements, little, pixel_vr


def _require_image(header: DicomHeader, *, marked: bool) -> None:
    """Refuse what has no pixels, or not the elements that say what they are.

    Raises:
        DicomRefusedError: Saying what is missing.
    """
    described = [name for name in ("Rows", "Columns", "BitsStored") if header.has(name)]
    if not header.has("PixelData"):
        for keyword in ("FloatPixelData", "DoubleFloatPixelData"):
            if header.has(keyword):
                raise header.refuse("32-bit", f"a DICOM image has its pixels in {keyword}")
        if described:
            raise header.refuse("truncated", "a DICOM file describes an image and ends before it")
        said = (
            "a DICOM file holds no image, or ends before it"
            if marked
            else "not an image: neither DICOM nor any"
        )
        raise header.refuse("not-an-image", said)
    if not described:
        raise header.refuse("not-an-image", "a DICOM file has pixels and does not describe them")
