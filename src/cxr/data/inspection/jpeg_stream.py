"""The structure of a JPEG file: its segments up to the pixels, and its end.

Source: ISO/IEC 10918-1 (ITU-T T.81), annex B; the Adobe segment as in Adobe's Technical Note 5116.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cxr.data.decoding.jpeg_scans import (
    ALONE,
    END,
    NEXT_MARKER,
    START_OF_SCAN,
    find_too_many_scans,
)
from cxr.data.inspection.finding import Finding

_TABLES: Final = 0xDB
_ADOBE: Final = 0xEE
_ADOBE_NAME: Final = b"Adobe"
_ADOBE_BYTES: Final = 12
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TOLD: Final = _FRAMES | {_TABLES, _ADOBE}
"""Markers of the segments that `JpegHead` holds something of."""
_FRAME_BYTES: Final = 6
_COMPONENT_BYTES: Final = 3


@dataclass(slots=True, kw_only=True)
class JpegHead:
    """What is said before the first scan.

    Attributes:
        frame: The marker of the frame: 0xC0 baseline, 0xC2 progressive; 0 where there is none.
        precision: Bits of a sample.
        num_pixels: What the frame claims.
        components: Identifier and quantisation table of each component.
        tables: Place of each quantisation table's first number, and the bytes of a number, by
            the table's number and in order.
        adobe: The transform that an Adobe segment names, None without one.
    """

    frame: int = 0
    precision: int = 0
    num_pixels: int = 0
    components: tuple[tuple[int, int], ...] = ()
    tables: list[tuple[int, int, int]] = field(default_factory=list)
    adobe: int | None = None


def read_jpeg(content: bytes) -> tuple[JpegHead, list[Finding]]:
    """Read a JPEG file's segments up to its end.

    Args:
        content: The bytes of the file, which begin with those of a JPEG file.

    Returns:
        What its head says, and at most one finding: it has too many scans, or ends too early.
    """
    head, place, in_head = JpegHead(), 2, True
    if said := find_too_many_scans(content):
        return head, [("bomb", said)]
    num_bytes = len(content)
    while (match := NEXT_MARKER.search(content, place)) is not None:
        place = match.end()
        marker = content[place - 1]
        if marker == END:
            return head, []
        if marker in ALONE:
            continue
        length = int.from_bytes(content[place : place + 2], "big")
        if place + max(length, 2) > num_bytes:
            return head, [("truncated", "the file ends within a segment of its head")]
        if in_head:
            in_head = marker != START_OF_SCAN
            if marker in _TOLD:
                _read_segment(head, marker, content, place + 2, place + length)
        place += length
    return head, [("truncated", "the file ends without its last marker, EOI")]


def _read_segment(head: JpegHead, marker: int, content: bytes, start: int, end: int) -> None:
    """Take from a segment what `JpegHead` holds."""
    body = content[start:end]
    if marker == _TABLES:
        while start < end:
            number, number_bytes = content[start] & 15, 2 if content[start] >> 4 else 1
            head.tables.append((number, start + 1, number_bytes))
            start += 1 + 64 * number_bytes
    elif marker in _FRAMES and len(body) > _FRAME_BYTES:
        head.frame, head.precision = marker, body[0]
        head.num_pixels = int.from_bytes(body[1:3], "big") * int.from_bytes(body[3:5], "big")
        parts = body[_FRAME_BYTES:]
        head.components = tuple(
            (parts[i], parts[i + 2]) for i in range(0, len(parts) - 2, _COMPONENT_BYTES)
        )
    elif marker == _ADOBE and body.startswith(_ADOBE_NAME) and len(body) >= _ADOBE_BYTES:
        head.adobe = body[_ADOBE_BYTES - 1]
