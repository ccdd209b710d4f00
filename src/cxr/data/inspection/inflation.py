"""Unpacking a stream for its length and its sum alone.

Source: RFC 1950 (the format of zlib).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

_INPUT_BYTES: Final = 1 << 16
"""Little enough that what is left of it, of which zlib makes a copy each time, costs nothing."""
_OUTPUT_BYTES: Final = 1 << 20


def measure_stream(parts: Iterable[memoryview], most_bytes: int) -> tuple[int, bool]:
    """Unpack a stream without keeping what comes out.

    Args:
        parts: The stream, in order.
        most_bytes: What it may unpack to: a stream that goes on is left there.

    Returns:
        The bytes that came out, and whether the stream came to its end, with the right sum.

    Raises:
        zlib.error: The stream is broken, or its sum is another one.
    """
    inflater, found = zlib.decompressobj(), 0
    for part in parts:
        for start in range(0, len(part), _INPUT_BYTES):
            piece: bytes | memoryview = part[start : start + _INPUT_BYTES]
            while piece and not inflater.eof and found <= most_bytes:
                found += len(inflater.decompress(piece, _OUTPUT_BYTES))
                piece = inflater.unconsumed_tail
            if inflater.eof or found > most_bytes:
                return found, inflater.eof
    return found, inflater.eof
