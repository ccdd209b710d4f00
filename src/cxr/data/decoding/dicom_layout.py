"""How the pixels of a DICOM image are laid out, and which layouts are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cxr.data.decoding.dicom_header import DicomHeader
from cxr.data.decoding.open_picture import MAX_PIXELS

GREY: Final = ("MONOCHROME1", "MONOCHROME2")
COLOUR: Final = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")

_OTHER: Final = {
    "PALETTE COLOR": "palette",
    "ARGB": "alpha",
    "CMYK": "cmyk",
    "HSV": "colour-space",
    "YBR_PARTIAL_420": "colour-space",
    "YBR_PARTIAL_422": "colour-space",
    "XYB": "colour-space",
}
"""Terms of the standard, those it has retired among them. Source: DICOM PS3.3 C.7.6.3.1.2."""

_BYTE: Final = 8
_WORD: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How pixels are laid out.

    Attributes:
        rows: Height in px.
        columns: Width in px.
        samples: 1 for grey, 3 for colour.
        photometric: A term of the standard.
        planar: 1 where each colour has a plane of its own.
        bits_allocated: 8 or 16.
        bits_stored: From 1 to ``bits_allocated``.
        signed: Whether values are in two's complement.
    """

    rows: int
    columns: int
    samples: int
    photometric: str
    planar: int
    bits_allocated: int
    bits_stored: int
    signed: bool

    @property
    def num_bytes(self) -> int:
        """Size of the pixels where they are not compressed."""
        size = self.rows * self.columns * self.samples * self.bits_allocated // _BYTE
        # Two pixels share their colours.
        return size * 2 // 3 if self.photometric == "YBR_FULL_422" else size

    def wrap(self, value: int) -> int:
        """Return a stored value as it is meant: unused bits left out, the sign extended."""
        value &= (1 << self.bits_stored) - 1
        sign = 1 << (self.bits_stored - 1)
        return value - 2 * sign if self.signed and value & sign else value


def derive_layout(header: DicomHeader) -> Layout:
    """Return how pixels are laid out.

    Raises:
        DicomRefusedError: In a way that is not read, or that contradicts itself.
    """
    frames = header.read_text("NumberOfFrames")
    if frames not in ("", "1"):
        # A longer number may be a date, and not where it belongs.
        number = frames if frames.isdecimal() and len(frames) < _BYTE else "several"
        raise header.refuse("multi-frame", f"a DICOM file holds {number} pictures")
    photometric = _require_photometric(header)
    samples = header.read_integer("SamplesPerPixel", 1)
    layout = Layout(
        rows=header.read_integer("Rows"),
        columns=header.read_integer("Columns"),
        samples=samples,
        photometric=photometric,
        planar=header.read_integer("PlanarConfiguration", 0),
        bits_allocated=header.read_integer("BitsAllocated"),
        bits_stored=header.read_integer("BitsStored"),
        signed=header.read_integer("PixelRepresentation", 0) == 1,
    )
    _require_sane(header, layout)
    return layout


def _require_photometric(header: DicomHeader) -> str:
    """Return what values mean, or refuse it by name; only the standard's own terms are named."""
    photometric = header.read_text("PhotometricInterpretation")
    if photometric in (*GREY, *COLOUR):
        return photometric
    kind = _OTHER.get(photometric, "colour-space")
    name = photometric if photometric in _OTHER else "unknown"
    problem = f"a DICOM image's photometric interpretation is {name}, neither grey nor RGB"
    raise header.refuse(kind, problem)


def _require_sane(header: DicomHeader, layout: Layout) -> None:
    """Refuse sizes and bits that are not read.

    Raises:
        DicomRefusedError: Saying which.
    """
    allocated, stored = layout.bits_allocated, layout.bits_stored
    if layout.rows * layout.columns == 0:
        raise header.refuse("damaged", "a DICOM image has no rows or no columns")
    if layout.rows * layout.columns > MAX_PIXELS:
        claim = f"{layout.columns} x {layout.rows} pixels"
        raise header.refuse("bomb", f"a DICOM image claims {claim}")
    if layout.samples != (1 if layout.photometric in GREY else 3):
        problem = f"a DICOM image in {layout.photometric} has {layout.samples} values a pixel"
        raise header.refuse("damaged", problem)
    if allocated > _WORD:
        raise header.refuse("32-bit", f"a DICOM image has {allocated} bits a value")
    if allocated == 1:
        problem = "a DICOM image has 1 bit a value: a mask, not a radiograph"
        raise header.refuse("colour-space", problem)
    if allocated not in (_BYTE, _WORD) or not 1 <= stored <= allocated:
        problem = f"a DICOM image has {stored} bits in {allocated}"
        raise header.refuse("damaged", problem)
    if header.read_integer("HighBit", stored - 1) != stored - 1:
        raise header.refuse("damaged", "a DICOM image's HighBit is not that of its BitsStored")
    if layout.samples > 1 and (allocated, stored, layout.signed) != (_BYTE, _BYTE, False):
        raise header.refuse("16-bit", f"a DICOM image has {stored} bits a colour")
