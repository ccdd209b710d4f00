"""What the compressed part of a DICOM image says of itself, before a decoder believes it.

A decoder makes room for the size that the compressed part claims, whatever the header says.
Source: ITU-T T.81 (JPEG), T.87 (JPEG-LS) and T.800 annex A (JPEG 2000).
"""

from __future__ import annotations

from typing import Final, NamedTuple

_J2K_START: Final = b"\xff\x4f\xff\x51"
_JPEG_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"

# Start of frame: baseline, extended, progressive, lossless, and so on, and JPEG-LS.
_FRAMES: Final = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})


class Frame(NamedTuple):
    """What a JPEG stream says of its picture: how it is coded, bits of a value, its size in px."""

    marker: int
    precision: int
    width: int
    height: int


def find_claimed_size(stream: bytes) -> tuple[int, int] | None:
    """Return (width, height) as a JPEG 2000 stream has them; None of any other."""
    if not stream.startswith(_J2K_START):
        return None
    right, bottom, left, top = (
        int.from_bytes(stream[at : at + 4], "big") for at in (8, 12, 16, 20)
    )
    return right - left, bottom - top


def is_jpeg(stream: bytes) -> bool:
    """Say whether a stream is JPEG or JPEG-LS, which have the same markers."""
    return stream.startswith(_JPEG_START)


def is_ended(stream: bytes) -> bool:
    """Say whether a stream has its end marker; a byte of padding may follow, of 0 or 255."""
    return stream.rstrip(b"\0\xff").endswith(_END)


def find_frame(stream: bytes) -> Frame | None:
    """Walk from marker to marker to the frame of a JPEG stream; None where there is none."""
    if not is_jpeg(stream):
        return None
    at = len(_JPEG_START)
    while at + 9 <= len(stream):
        if stream[at] != 0xFF:  # noqa: PLR2004 - every marker begins with it
            return None
        marker = stream[at + 1]
        if marker in _FRAMES:
            height, width = (int.from_bytes(stream[k : k + 2], "big") for k in (at + 5, at + 7))
            return Frame(marker, precision=stream[at + 4], width=width, height=height)
        if marker == 0xFF or marker in _ALONE:  # noqa: PLR2004 - a byte of filling
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004
            continue
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return None
