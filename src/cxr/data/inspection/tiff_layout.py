"""The structure of a TIFF file: its directories, and whether all that they point at is there.

EXIF metadata have the same structure, and are read here as well.

Source: TIFF Revision 6.0 (Adobe, 1992), section 2; BigTIFF as in libtiff's documentation.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cxr.data.decoding.open_picture import MAX_PIXELS
from cxr.data.inspection.finding import Finding
from cxr.data.inspection.tiff_streams import PackedPixels, check_streams

_TYPE_CODES: Final = {
    1: "B", 2: "s", 3: "H", 4: "I", 5: "2I", 6: "b", 7: "s", 8: "h", 9: "i", 10: "2i", 11: "f",
    12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q",
}  # fmt: skip
_BIG: Final = 43
_OFFSETS_OF_SIZES: Final = {279: 273, 325: 324}
"""The tag of the places of strips or tiles, by the tag of their sizes in bytes."""
_WHOLE_NUMBERS: Final = "BHIQ"
_MAX_DIRECTORIES: Final = 1000

_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT, _STRIP_ROWS = 256, 257, 322, 323, 278
_BITS, _SAMPLES, _COLOURS, _PLANES = 258, 277, 262, 284
_COMPRESSION, _FILL_ORDER, _JPEG_TABLES = 259, 266, 347
_DEPTHS: Final = frozenset({32997, 32998})
"""Tags of pictures in three dimensions, a piece of which is deeper than one slice."""
_SEPARATE: Final = 2
_YCBCR: Final = 6


class _BrokenError(Exception):
    """A directory cannot be followed further."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One field of a directory: its type, its number of values, and where these lie."""

    code: str
    count: int
    place: int
    size: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers are written in one file."""

    order: str
    big: bool

    def read(self, content: bytes, code: str, place: int) -> int:
        """Return one number.

        Raises:
            _BrokenError: It lies past the end.
        """
        try:
            return int(struct.unpack_from(self.order + code, content, place)[0])
        except (struct.error, OverflowError) as error:
            raise _BrokenError("a directory lies past the end of the file") from error


def check_tiff(content: bytes) -> list[Finding]:
    """Return what is wrong with the structure of a TIFF file: at most one finding, the first.

    Args:
        content: The bytes of the file.
    """
    seen: set[int] = set()
    try:
        layout, place = _read_head(content)
        while place and len(seen) < _MAX_DIRECTORIES:
            if place in seen:
                return [("damaged", "the file's directories go round in a circle")]
            seen.add(place)
            entries, end = _read_directory(content, layout, place)
            place = layout.read(content, "Q" if layout.big else "I", end)
            if finding := _check_pieces(content, layout, entries):
                return [finding]
            if len(seen) == 1 and (finding := _check_packing(content, layout, entries)):
                return [finding]
        if place:
            # Pillow counts them, and that takes longer with the square of their number.
            return [("multi-frame", f"more than {_MAX_DIRECTORIES:,} pictures in one file")]
    except _BrokenError as error:
        return [("truncated", str(error))]
    return [] if seen else [("damaged", "the file has no directory")]


def is_exif_whole(exif: bytes) -> bool:
    """Say whether metadata can be read: every value of their first directory is there.

    Args:
        exif: A TIFF structure, without the name ``Exif`` before it.
    """
    try:
        layout, place = _read_head(exif)
        entries, _ = _read_directory(exif, layout, place)
    except _BrokenError:
        return False
    return all(entry.place + entry.size <= len(exif) for entry in entries.values())


def _read_head(content: bytes) -> tuple[_Layout, int]:
    """Return how a file is written, and the place of its first directory."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        raise _BrokenError("the byte order is not given")
    plain = _Layout(order, big=False)
    if plain.read(content, "H", 2) == _BIG:
        layout = _Layout(order, big=True)
        return layout, layout.read(content, "Q", 8)
    return plain, plain.read(content, "I", 4)


def _read_directory(content: bytes, layout: _Layout, place: int) -> tuple[dict[int, _Entry], int]:
    """Return the fields of a directory, and where it ends: the place of the next one follows."""
    number, entry_bytes, offset = ("Q", 20, "Q") if layout.big else ("H", 12, "I")
    count = layout.read(content, number, place)
    first = place + struct.calcsize(number)
    if first + count * entry_bytes > len(content):
        raise _BrokenError("a directory lies past the end of the file")
    entries: dict[int, _Entry] = {}
    inline = struct.calcsize(offset)
    for start in range(first, first + count * entry_bytes, entry_bytes):
        tag, kind = layout.read(content, "H", start), layout.read(content, "H", start + 2)
        values = layout.read(content, offset, start + 4)
        code = _TYPE_CODES.get(kind, "s")
        size = values * struct.calcsize("=" + code)
        at = start + 4 + inline
        entries[tag] = _Entry(
            code, values, at if size <= inline else layout.read(content, offset, at), size
        )
    return entries, first + count * entry_bytes


def _check_pieces(content: bytes, layout: _Layout, entries: dict[int, _Entry]) -> Finding | None:
    """Return a finding where a strip or tile of pixels lies past the end."""
    for sizes_tag, places_tag in _OFFSETS_OF_SIZES.items():
        if places_tag not in entries:
            continue
        places = _read_numbers(content, layout, entries[places_tag])
        sizes = _read_numbers(content, layout, entries[sizes_tag]) if sizes_tag in entries else []
        past = sum(
            place >= len(content) or place + size > len(content)
            for place, size in zip(places, sizes or [0] * len(places), strict=False)
        )
        if past:
            return "truncated", f"{past} of {len(places)} pieces of the picture lie past the end"
    return None


def _check_packing(content: bytes, layout: _Layout, entries: dict[int, _Entry]) -> Finding | None:
    """Return a finding where the packed pixels of a directory cannot be what was written."""
    try:
        packed = _describe_packing(content, layout, entries)
    except _BrokenError:
        # What a field means that cannot be read is for the decoder to say.
        return None
    return check_streams(content, packed) if packed else None


def _describe_packing(
    content: bytes, layout: _Layout, entries: dict[int, _Entry]
) -> PackedPixels | None:
    """Return where the packed pixels of a directory lie, None where that is not sure."""

    def read_all(tag: int) -> Sequence[int]:
        return _read_numbers(content, layout, entries[tag]) if tag in entries else ()

    def read(tag: int, default: int) -> int:
        return max(read_all(tag), default=0) if tag in entries else default

    width, height, samples = read(_WIDTH, 0), read(_HEIGHT, 0), read(_SAMPLES, 1)
    columns, rows = width, min(read(_STRIP_ROWS, height), height)
    if _TILE_WIDTH in entries or _TILE_HEIGHT in entries:
        columns, rows = read(_TILE_WIDTH, 0), read(_TILE_HEIGHT, 0)
    planes = samples if read(_PLANES, 1) == _SEPARATE else 1
    pixel_bits = read(_BITS, 1) * samples // max(planes, 1)
    if not columns * rows * pixel_bits or width * height > MAX_PIXELS or entries.keys() & _DEPTHS:
        return None
    number = -(-width // columns) * -(-height // rows) * planes
    if read(_COLOURS, _YCBCR) == _YCBCR:
        # Up to 4 x 4 pixels may share their colour, and are stored whole.
        columns, rows = -(-columns // 4) * 4, -(-rows // 4) * 4
    sizes_tags = [sizes for sizes, places in _OFFSETS_OF_SIZES.items() if places in entries]
    if len(sizes_tags) != 1:
        return None
    tables = entries.get(_JPEG_TABLES)
    return PackedPixels(
        compression=read(_COMPRESSION, 1),
        is_msb_first=read(_FILL_ORDER, 1) == 1,
        places=read_all(_OFFSETS_OF_SIZES[sizes_tags[0]])[:number],
        sizes=read_all(sizes_tags[0])[:number],
        piece_px=columns * rows,
        piece_bytes=-(-columns * pixel_bits // 8) * rows,
        tables=content[tables.place : tables.place + tables.size] if tables else b"",
    )


def _read_numbers(content: bytes, layout: _Layout, entry: _Entry) -> Sequence[int]:
    """Return the values of a field of whole numbers."""
    if entry.code not in _WHOLE_NUMBERS:
        raise _BrokenError("the places of the pixels are not given as numbers")
    if entry.place + entry.size > len(content):
        raise _BrokenError("the places of the pixels lie past the end of the file")
    return struct.unpack_from(f"{layout.order}{entry.count}{entry.code}", content, entry.place)
