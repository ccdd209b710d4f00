"""How many scans of a JPEG file are decoded: the one place that says it.

Each scan makes a decoder pass over all pixels once more, and takes a few bytes to write: a small
file can keep a decoder busy for minutes.
"""

from __future__ import annotations

import re
from typing import Final

MAX_SCANS: Final = 100
"""Source: libtiff's ``LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER``. Encoders write about ten."""

LOSSLESS: Final = 0xC3
"""Start of a frame whose values are coded as they are, and not in blocks."""

END: Final = 0xD9
START_OF_SCAN: Final = 0xDA
ALONE: Final = frozenset({*range(0x01, 0xC0), *range(0xD0, 0xD8)})
"""Markers without a length: the end aside.

The reserved ones, 0x02 to 0xBF, may have one, but libjpeg does not ask: between segments they end
the decoding, and where a restart is due it looks for the next marker right behind them. What the
length of one covers may so be scans.
Source: ISO/IEC 10918-1, table B.1; ``jpeg_resync_to_restart`` in libjpeg's jdmarker.c.
"""

NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""What ends the entropy-coded bytes of a scan: neither a stuffed byte nor a restart, and of
several bytes 0xFF, which may stand before a marker, the last one.

Source: ISO/IEC 10918-1 (ITU-T T.81), annex B.
"""

_SIGN: Final = bytes([0xFF, START_OF_SCAN])


def find_too_many_scans(content: bytes) -> str | None:
    """Return what is wrong with the number of scans of a JPEG file, None where nothing is.

    Args:
        content: The bytes of the file, or of the stream in a file of another format.
    """
    # The two bytes may also stand in metadata, and never less often than there are scans.
    if content.count(_SIGN) <= MAX_SCANS:
        return None
    num_scans = _count_scans(content)
    if num_scans <= MAX_SCANS:
        return None
    return f"{num_scans:,} scans; {MAX_SCANS} at most are decoded"


def _count_scans(content: bytes) -> int:
    """Walk from marker to marker to the end of the picture, as a decoder does."""
    num_scans, place = 0, 2
    while (match := NEXT_MARKER.search(content, place)) is not None:
        place = match.end()
        marker = content[place - 1]
        if marker == END:
            break
        if marker not in ALONE:
            num_scans += marker == START_OF_SCAN
            place += int.from_bytes(content[place : place + 2], "big")
    return num_scans
