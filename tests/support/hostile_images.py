"""Small files of every kind that a folder of images may hold and should not."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIDE = 48


def draw_picture(side=SIDE):
    """Return a grey picture without symmetry, mid-grey on the whole: shape (side, side), uint8."""
    rows, columns = np.mgrid[:side, :side]
    return (64 + (rows * 3 + columns * 2 + (rows // 4) * (columns // 6)) % 128).astype(np.uint8)


def encode(pixels=None, file_format="JPEG", mode=None, **options):
    """Return a picture, that of `draw_picture` where none is given, as the bytes of a file."""
    pixels = draw_picture() if pixels is None else pixels
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(stream, file_format, **options)
    return stream.getvalue()


def find_scan(jpeg):
    """Return where the entropy-coded bytes of a JPEG file with one scan start and end."""
    start = jpeg.index(b"\xff\xda")
    return start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big"), len(jpeg) - 2


def set_step(jpeg, step):
    """Return a JPEG file with another quantisation step for the brightness of blocks."""
    place = jpeg.index(b"\xff\xdb") + 5
    return jpeg[:place] + bytes([step]) + jpeg[place + 1 :]


def write_chunk(name, body):
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def write_png(width, height, stream, *, depth=8, colour=0, interlace=0):
    """Return a PNG file around a compressed stream, whatever that holds."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    chunks = [(b"IHDR", header), (b"IDAT", stream), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(write_chunk(*one) for one in chunks)


def _frames(file_format):
    first, second = Image.fromarray(draw_picture()), Image.fromarray(draw_picture()[::-1])
    return encode(first, file_format, save_all=True, append_images=[second])


def _turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def encode_turned_tiff(pixels, orientation, **options):
    """Return a TIFF file whose own tag says how its pixels are turned."""
    return encode(pixels, "TIFF", tiffinfo={0x0112: orientation}, **options)


def _scanlines(width=SIDE, height=SIDE):
    return b"".join(b"\0" + row.tobytes() for row in draw_picture()[:height, :width])


def _circle():
    """Return a TIFF file whose first directory says that it is also the next one."""
    content = bytearray(encode(file_format="TIFF"))
    (place,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, place)
    struct.pack_into("<I", content, place + 2 + 12 * count, place)
    return bytes(content)


def add_scans(jpeg, total):
    """Return a progressive JPEG with its last scan repeated until there are so many."""
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * (total - jpeg.count(b"\xff\xda")) + jpeg[-2:]


def hide_scans(jpeg):
    """Return a progressive JPEG with all of its scans behind another one and a reserved marker.

    The marker has a length, as of a segment that holds them. A decoder that looks for a restart
    does not skip by it, and makes the same picture.
    """
    start = jpeg.index(b"\xff\xda")
    # Restarts after each block begin behind the head, and end with what is hidden.
    header = jpeg[start : start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")]
    hidden = b"\xff\xdd\0\4\0\0" + jpeg[start:-2]
    marker = b"\xff\x02" + struct.pack(">H", len(hidden) + 2)
    return jpeg[:start] + b"\xff\xdd\0\4\0\1" + header + b"\x12\x34" + marker + hidden + jpeg[-2:]


def chain_pages(total):
    """Return a TIFF file of so many pages, which share their pixels."""
    content = bytearray(encode(file_format="TIFF"))
    (place,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, place)
    end = place + 2 + 12 * count
    page = bytes(content[place:end])
    starts = [len(content) + number * (len(page) + 4) for number in range(total - 1)]
    struct.pack_into("<I", content, end, starts[0])
    return bytes(content) + b"".join(page + struct.pack("<I", one) for one in [*starts[1:], 0])


def write_tiff(fields, streams, *, tiled=False, repeat=1):
    """Return a TIFF file around packed strips or tiles, whatever these hold.

    ``fields`` are numbers or bytes by their tags; every stream is pointed at ``repeat`` times.
    """
    places_tag, sizes_tag = (324, 325) if tiled else (273, 279)
    count = len(streams) * repeat
    directory = 8 + sum(map(len, streams))
    lists = directory + 2 + 12 * (len(fields) + 2) + 4
    places = [8 + sum(map(len, streams[:number])) for number in range(len(streams))]
    extra, entries = b"", []
    values = dict(fields)
    values[places_tag] = struct.pack(f"<{count}I", *places * repeat)
    values[sizes_tag] = struct.pack(f"<{count}I", *[len(one) for one in streams] * repeat)
    for tag, value in sorted(values.items()):
        if isinstance(value, int):
            entries.append(struct.pack("<HHII", tag, 4, 1, value))
            continue
        kind, number = (7, len(value)) if tag in fields else (4, count)
        place = struct.pack("<I", lists + len(extra))
        entries.append(struct.pack("<HHI4s", tag, kind, number, value if number == 1 else place))
        extra += value
    head = b"II*\0" + struct.pack("<I", directory) + b"".join(streams)
    return head + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + extra


def _lab():
    return Image.merge("LAB", [Image.fromarray(draw_picture())] * 3)


def _strange():
    values = draw_picture().astype(np.float32)
    values[3, 4] = np.nan
    return values


JPEG = encode()
PNG = encode(file_format="PNG")
BMP = encode(file_format="BMP")
TIFF = encode(file_format="TIFF")
PACKED_TIFF = encode(file_format="TIFF", compression="tiff_lzw")
COLOUR = np.stack([draw_picture(), draw_picture().T, 255 - draw_picture()], axis=2)
_BROKEN_SUM = bytearray(PNG)
_BROKEN_SUM[PNG.index(b"IDAT") + 20] ^= 1
WEB_PAGE = b"<!DOCTYPE html><html>404</html>"
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n"
_EXIF_CUT = encode(exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0")

HOSTILE = {
    "plain JPEG": ("a.jpeg", JPEG, set()),
    "plain PNG": ("a.png", PNG, set()),
    "plain BMP": ("a.bmp", BMP, set()),
    "plain TIFF": ("a.TIF", TIFF, set()),
    "colour JPEG": ("a.jpg", encode(COLOUR), {"colour"}),
    "progressive JPEG": ("a.jpg", encode(progressive=True), set()),
    "two levels": ("a.png", encode(file_format="PNG", mode="1"), set()),
    "empty": ("a.jpeg", b"", {"empty"}),
    "web page": ("a.jpeg", WEB_PAGE, {"not-an-image"}),
    "web page named DICOM": ("a.dcm", WEB_PAGE, {"not-an-image"}),
    "zeros": ("a.jpeg", bytes(500), {"not-an-image"}),
    "zeros named DICOM": ("a.dcm", bytes(500), {"not-an-image"}),
    "LFS pointer": ("a.png", LFS_POINTER, {"lfs-pointer"}),
    "LFS pointer named DICOM": ("a.dicom", LFS_POINTER, {"lfs-pointer"}),
    "AppleDouble": ("._a.jpeg", b"\0\x05\x16\x07\0\x02\0\0Mac OS X", {"appledouble"}),
    ".DS_Store": (".DS_Store", b"\0\0\0\x01Bud1" + bytes(40), {"os-file"}),
    "GIF": ("a.gif", encode(file_format="GIF"), {"unsupported-format"}),
    "WebP": ("a.webp", encode(file_format="WEBP"), {"unsupported-format"}),
    "WebP named PNG": ("a.png", encode(file_format="WEBP"), {"not-an-image"}),
    "WebP named DICOM": ("a.dcm", encode(file_format="WEBP"), {"not-an-image"}),
    "JPEG named PNG": ("a.png", JPEG, {"wrong-suffix"}),
    "JPEG named DICOM": ("a.dcm", JPEG, {"wrong-suffix"}),
    "PNG named DICOM": ("a.DCM", PNG, {"wrong-suffix"}),
    "PNG named DICOM, end lost": ("a.dcm", PNG[:-12], {"truncated", "wrong-suffix"}),
    "no suffix": ("noext", JPEG, {"wrong-suffix"}),
    "JPEG, last byte lost": ("a.jpeg", JPEG[:-1], {"truncated"}),
    "JPEG, end lost": ("a.jpeg", JPEG[:-2], {"truncated"}),
    "JPEG, half": ("a.jpeg", JPEG[: find_scan(JPEG)[0] + 60], {"truncated"}),
    "JPEG, head only": ("a.jpeg", JPEG[:64], {"truncated"}),
    "JPEG, bytes lost inside": (
        "a.jpeg",
        JPEG[: find_scan(JPEG)[0] + 60] + JPEG[-2:],
        {"damaged"},
    ),
    "JPEG, bytes between segments": ("a.jpeg", JPEG[:20] + b"junk!" + JPEG[20:], {"damaged"}),
    "JPEG, whiter than white": (
        "a.jpeg",
        set_step(encode(np.full((48, 48), 250, np.uint8)), 40),
        {"damaged", "constant"},
    ),
    "JPEG, progressive, bytes lost": (
        "a.jpeg",
        encode(progressive=True)[:-40] + b"\xff\xd9",
        {"damaged"},
    ),
    "PNG, last byte lost": ("a.png", PNG[:-1], {"truncated"}),
    "PNG, end lost": ("a.png", PNG[:-12], {"truncated"}),
    "PNG, a bit turned": ("a.png", bytes(_BROKEN_SUM), {"damaged"}),
    "PNG, stream's sum wrong": (
        "a.png",
        write_png(SIDE, SIDE, zlib.compress(_scanlines())[:-1] + b"\x99"),
        {"damaged"},
    ),
    "PNG, stream without its sum": (
        "a.png",
        write_png(SIDE, SIDE, zlib.compress(_scanlines())[:-4]),
        {"damaged"},
    ),
    "PNG, stream too short": (
        "a.png",
        write_png(SIDE, SIDE, zlib.compress(_scanlines(height=40))),
        {"damaged"},
    ),
    "PNG, stream too long": (
        "a.png",
        write_png(SIDE, SIDE, zlib.compress(_scanlines() + bytes(49))),
        {"damaged"},
    ),
    "TIFF, last byte lost": ("a.tif", TIFF[:-1], {"truncated"}),
    "TIFF, packed, last byte lost": ("a.tiff", PACKED_TIFF[:-1], {"truncated"}),
    "TIFF, directories in a circle": ("a.tif", _circle(), {"damaged"}),
    "BMP, last byte lost": ("a.bmp", BMP[:-1], {"truncated"}),
    "bomb": ("a.png", write_png(10_000, 10_000, zlib.compress(b""), depth=1), {"bomb"}),
    "large bomb": ("a.png", write_png(60_000, 60_000, zlib.compress(b""), depth=1), {"bomb"}),
    "JPEG of many scans": ("a.jpg", add_scans(encode(progressive=True), 101), {"bomb"}),
    "JPEG of hidden scans": (
        "a.jpg",
        hide_scans(add_scans(encode(progressive=True), 100)),
        {"bomb"},
    ),
    "TIFF of two pages": ("a.tif", _frames("TIFF"), {"multi-frame"}),
    "TIFF of many pages": ("a.tif", chain_pages(1001), {"multi-frame"}),
    "animated PNG": ("a.png", _frames("PNG"), {"multi-frame"}),
    "MPO": ("a.jpg", _frames("MPO"), {"multi-frame"}),
    "RGBA": ("a.png", encode(file_format="PNG", mode="RGBA"), {"alpha"}),
    "LA": ("a.png", encode(file_format="PNG", mode="LA"), {"alpha"}),
    "tRNS": ("a.png", encode(file_format="PNG", transparency=70), {"alpha"}),
    "palette": ("a.png", encode(file_format="PNG", mode="P"), {"palette"}),
    "palette of colours": (
        "a.png",
        encode(COLOUR, "PNG", mode="P"),
        {"palette"},
    ),
    "palette, tRNS": (
        "a.png",
        encode(file_format="PNG", mode="P", transparency=7),
        {"palette", "alpha"},
    ),
    "CMYK": ("a.jpg", encode(mode="CMYK"), {"cmyk"}),
    "LAB": ("a.tif", encode(_lab(), "TIFF"), {"colour-space"}),
    "16 bit": ("a.png", encode(draw_picture().astype(np.uint16) * 257, "PNG"), {"16-bit"}),
    "16 bit, colour": (
        "a.png",
        write_png(32, 32, zlib.compress((b"\0" + bytes(range(192))) * 32), depth=16, colour=2),
        {"16-bit", "colour"},
    ),
    "32 bit": ("a.tif", encode(draw_picture().astype(np.int32), "TIFF"), {"32-bit"}),
    "float": ("a.tif", encode(draw_picture().astype(np.float32), "TIFF"), {"32-bit"}),
    "NaN": ("a.tif", encode(_strange(), "TIFF"), {"32-bit", "nan-pixels"}),
    "constant": ("a.png", encode(np.full((48, 48), 7, np.uint8), "PNG"), {"constant"}),
    "constant colour": (
        "a.png",
        encode(np.full((48, 48, 3), (1, 2, 3), np.uint8), "PNG"),
        {"constant", "colour"},
    ),
    "too small": ("a.png", encode(draw_picture()[:, :31], "PNG"), {"too-small"}),
    "odd aspect": ("a.png", encode(np.tile(draw_picture(), 4)[:, :145], "PNG"), {"odd-aspect"}),
    "turned JPEG": ("a.jpg", encode(exif=_turned(6)), {"exif-rotated"}),
    "turned PNG": ("a.png", encode(file_format="PNG", exif=_turned(5)), {"exif-rotated"}),
    "turned TIFF": ("a.tif", encode_turned_tiff(draw_picture(), 6), {"exif-rotated"}),
    "turned TIFF, packed": (
        "a.tif",
        encode_turned_tiff(draw_picture(), 8, compression="tiff_lzw"),
        {"exif-rotated"},
    ),
    "turned TIFF, 16 bit": (
        "a.tif",
        encode_turned_tiff(draw_picture().astype(np.uint16) * 257, 3),
        {"16-bit", "exif-rotated"},
    ),
    "turned TIFF, float": (
        "a.tif",
        encode_turned_tiff(draw_picture().astype(np.float32), 5),
        {"32-bit", "exif-rotated"},
    ),
    "EXIF cut": ("a.jpg", _EXIF_CUT, {"bad-metadata"}),
}
"""Name, content and the kinds of what must be found, by what it is."""

VALID = {
    "JPEG": ("a.jpeg", JPEG),
    "colour JPEG": ("a.jpeg", encode(COLOUR)),
    "progressive JPEG": ("a.jpeg", encode(COLOUR, progressive=True)),
    "CMYK JPEG": ("a.jpeg", encode(mode="CMYK")),
    "PNG": ("a.png", PNG),
    "palette PNG": ("a.png", encode(file_format="PNG", mode="P")),
    "BMP": ("a.bmp", BMP),
    "TIFF": ("a.tif", TIFF),
    "packed TIFF": ("a.tif", PACKED_TIFF),
    "TIFF with JPEG": ("a.tif", encode(file_format="TIFF", compression="jpeg")),
    "GIF": ("a.gif", encode(file_format="GIF")),
    "WebP": ("a.webp", encode(file_format="WEBP")),
}
"""Name and content of a sound file of each format."""
