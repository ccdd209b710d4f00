"""Whether the packed pixels of a TIFF file can be what an encoder wrote.

A Deflate stream ends with a sum, to which libtiff does not come once a strip or tile is full. Of a
JPEG libtiff takes what its decoder warns of for no error. So both are read here once more, one
strip or tile after the other.

What cannot be judged for sure has no finding: the decoder refuses it, or it is odd but sound.

Source: TIFF Revision 6.0 (Adobe, 1992), sections 3 and 15; Adobe Photoshop TIFF Technical Notes
(2002), ZIP compression; TIFF Technical Note 2 (1995), JPEG.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cxr.data.decoding.jpeg_scans import END
from cxr.data.decoding.open_picture import MAX_PIXELS
from cxr.data.inspection.finding import Finding
from cxr.data.inspection.inflation import measure_stream
from cxr.data.inspection.jpeg_scan import check_jpeg_scan
from cxr.data.inspection.jpeg_stream import read_jpeg

_JPEG: Final = 7
_DEFLATE: Final = (8, 32946)
_MOST_BYTES: Final = MAX_PIXELS * 8
"""Four channels of 16 bits, than which Pillow opens nothing larger."""

_SOI: Final = b"\xff\xd8"
_EOI: Final = bytes([0xFF, END])
_HUFFMAN_TABLES: Final = b"\xff\xc4"
_RESTART_INTERVAL: Final = b"\xff\xdd"
_MOST_TABLE_BYTES: Final = 1 << 12
"""Four quantisation tables and eight Huffman tables take 2.7 kB; they are read with each piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPixels:
    """The strips or tiles of a TIFF picture, all of which lie within the file.

    Attributes:
        compression: The number of the method.
        is_msb_first: Whether the bits of a byte are stored in the usual order.
        places: Where each piece begins.
        sizes: Bytes of each piece, 0 where there is none.
        piece_px: Pixels that a piece holds at most.
        piece_bytes: What a piece unpacks to at most.
        tables: Tables that all JPEG pieces share; empty without such.
    """

    compression: int
    is_msb_first: bool
    places: Sequence[int]
    sizes: Sequence[int]
    piece_px: int
    piece_bytes: int
    tables: bytes


def check_streams(content: bytes, packed: PackedPixels) -> Finding | None:
    """Return what is wrong with the first strip or tile that no encoder would have written so.

    Args:
        content: The bytes of the file.
        packed: Where they hold what.
    """
    # Pieces that share bytes would be unpacked over and over: a small file could take hours.
    if sum(packed.sizes) > len(content) or len(packed.places) * packed.piece_bytes > _MOST_BYTES:
        return None
    is_deflate = packed.compression in _DEFLATE and packed.is_msb_first
    is_jpeg = packed.compression == _JPEG and _can_be_joined(packed.tables)
    if not is_deflate and not is_jpeg:
        return None
    view = memoryview(content)
    for place, size in zip(packed.places, packed.sizes, strict=False):
        piece = view[place : place + size]
        found = _check_deflate(piece, packed) if is_deflate else _check_jpeg(piece, packed)
        if found:
            kind, said = found
            return kind, f"the piece of the picture at byte {place:,}: {said}"
    return None


def _check_deflate(piece: memoryview, packed: PackedPixels) -> Finding | None:
    """Unpack a piece; one that is short but has its sum is left to the decoder."""
    if not piece:
        return None
    try:
        found, ended = measure_stream([piece], packed.piece_bytes)
    except zlib.error:
        return "damaged", "the compressed stream is broken"
    if found > packed.piece_bytes:
        return "damaged", "the compressed stream holds more than the piece"
    return None if ended else ("damaged", "the compressed stream lacks its check sum")


def _can_be_joined(tables: bytes) -> bool:
    """Say whether shared tables can stand before a piece's own without another meaning."""
    if not tables:
        return True
    # A decoder forgets a restart interval where the piece begins.
    return (
        len(tables) <= _MOST_TABLE_BYTES
        and tables.startswith(_SOI)
        and tables.endswith(_EOI)
        and _RESTART_INTERVAL not in tables
    )


def _check_jpeg(piece: memoryview, packed: PackedPixels) -> Finding | None:
    """Look at a piece as at a JPEG file, which it is together with the shared tables."""
    stream = bytes(piece)
    if not stream.startswith(_SOI):
        return None
    # Without its last marker a piece is decoded all the same; whether codes are lost is seen below.
    stream = (packed.tables[: -len(_EOI)] or _SOI) + stream[len(_SOI) :] + _EOI
    if _HUFFMAN_TABLES not in stream:
        # Those of another piece may be meant; libjpeg would take those of the standard.
        return None
    head, findings = read_jpeg(stream)
    if head.num_pixels > packed.piece_px:
        return None
    for kind, said in findings or check_jpeg_scan(stream, head):
        if kind == "truncated":
            return "damaged", "a segment of the JPEG stream lies past its end"
        return kind, said
    return None
