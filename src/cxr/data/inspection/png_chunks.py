"""The structure of a PNG file: every chunk's sum, the compressed stream, and the end.

Source: PNG Specification, third edition (W3C, 2025): 5 datastream structure, 7.2 scanlines, 8.1
interlace, 10 compression.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final

from cxr.data.decoding.open_picture import MAX_PIXELS
from cxr.data.inspection.finding import Finding
from cxr.data.inspection.inflation import measure_stream

_SIGNATURE_BYTES: Final = 8
_FRAME_BYTES: Final = 12
_HEADER_BYTES: Final = 13
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""First column and row, and steps, of each pass of Adam7."""


def check_png(content: bytes) -> list[Finding]:
    """Return what is wrong with the structure of a PNG file: at most one finding, the first.

    Args:
        content: The bytes of the file, its signature included.
    """
    header: bytes | None = None
    stream: list[memoryview] = []
    view, place = memoryview(content), _SIGNATURE_BYTES
    while place < len(content):
        length, name = struct.unpack(">I4s", content[place : place + 8].ljust(8, b"\0"))
        end = place + _FRAME_BYTES + length
        if end > len(content):
            return [("truncated", f"the file ends within its chunk {_show(name)}")]
        body = view[place + 8 : end - 4]
        if zlib.crc32(view[place + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return [("damaged", f"the check sum of a chunk {_show(name)} is wrong")]
        if name == b"IHDR":
            header = bytes(body)
        elif name == b"IDAT":
            stream.append(body)
        elif name == b"IEND":
            return _check_stream(header, stream)
        place = end
    return [("truncated", "the file ends without its last chunk, IEND")]


def _show(name: bytes) -> str:
    return ascii(name.decode("latin-1")).strip("'")


def _check_stream(header: bytes | None, stream: Sequence[memoryview]) -> list[Finding]:
    """Hold the length of the pixels' stream against the header, and its sum against its content."""
    wanted = _count_bytes(header)
    if header is None or wanted is None:
        return [("damaged", "the first chunk, IHDR, is missing or breaks the rules")]
    if _count_pixels(header) > MAX_PIXELS:
        # A bomb, which is named as one; its stream may take minutes.
        return []
    try:
        found, ended = measure_stream(stream, wanted)
    except zlib.error:
        return [("damaged", "the compressed stream of the pixels is broken")]
    if found == wanted and ended:
        return []
    more, fewer = "holds more than the picture", "ends before the picture does"
    said = more if found > wanted else fewer if found < wanted else "lacks its check sum"
    return [("damaged", f"the compressed stream {said}")]


def _count_pixels(header: bytes) -> int:
    """Return how many pixels a header claims."""
    width, height = struct.unpack_from(">II", header)
    return int(width * height)


def _count_bytes(header: bytes | None) -> int | None:
    """Return how long the inflated stream must be, None where the header breaks the rules."""
    if header is None or len(header) != _HEADER_BYTES:
        return None
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    if colour not in _CHANNELS or interlace > 1:
        return None
    bits = depth * _CHANNELS[colour]
    passes = _PASSES if interlace else ((0, 0, 1, 1),)
    total = 0
    for left, top, step_x, step_y in passes:
        columns = -(-max(width - left, 0) // step_x)
        rows = -(-max(height - top, 0) // step_y)
        total += rows * (1 + -(-columns * bits // 8)) if columns else 0
    return total
