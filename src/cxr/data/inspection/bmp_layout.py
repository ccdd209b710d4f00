"""The structure of a BMP file: whether all of its pixels are there."""

from __future__ import annotations

import struct
from typing import Final

from cxr.data.inspection.finding import Finding

_CORE_HEADER_BYTES: Final = 12
_UNPACKED: Final = (0, 3, 6)
_HEADERS_BYTES: Final = 34


def check_bmp(content: bytes) -> list[Finding]:
    """Return a finding where a BMP file is shorter than its own headers say.

    Source: BITMAPFILEHEADER and BITMAPINFOHEADER in Microsoft's "Bitmap storage".

    Args:
        content: The bytes of the file.
    """
    if len(content) < _HEADERS_BYTES:
        return [("truncated", "the file ends within its headers")]
    start, header_bytes = struct.unpack_from("<II", content, 10)
    if header_bytes == _CORE_HEADER_BYTES:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
        packing = 0
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", content, 18)
    if packing not in _UNPACKED:
        # Run lengths say only on decoding how many bytes they are.
        return []
    row_bytes = -(-abs(width) * bits // 32) * 4
    wanted = start + row_bytes * abs(height)
    if wanted > len(content):
        lacking = wanted - len(content)
        return [("truncated", f"{lacking:,} bytes of pixels are missing at the end")]
    return []
