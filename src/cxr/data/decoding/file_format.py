"""What a file is by its first bytes, whatever its name says.

Training and inspection both ask here, so neither takes a file for what the other does not.
"""

from __future__ import annotations

import os.path
from typing import Final

from cxr.data.decoding.dicom_syntaxes import SUFFIXES as DICOM_SUFFIXES
from cxr.data.decoding.dicom_syntaxes import has_prefix

HEAD_BYTES: Final = 132
"""How many of a file's first bytes tell what it is."""

SUFFIXES: Final[dict[str, tuple[str, ...]]] = {
    "JPEG": (".jpeg", ".jpg"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "DICOM": tuple(sorted(DICOM_SUFFIXES)),
}
"""The formats that are read, by Pillow's names, with the suffixes that they go by."""

_ALL_SUFFIXES: Final = tuple(one for several in SUFFIXES.values() for one in several)

_MAGIC: Final = (
    # Before TIFF: a file may be both, and a scanner's is one of these.
    (128, b"DICM", "DICOM"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WebP"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
)
"""Place, bytes, and format. Source: the registry of each format, and ``file``'s database."""

_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
"""Source: the Git LFS specification: the first line of every pointer."""

_APPLEDOUBLE: Final = b"\x00\x05\x16\x07"
"""Source: RFC 1740, appendix B."""

_DS_STORE: Final = b"\x00\x00\x00\x01Bud1"
_MIN_BMP_HEADER_BYTES: Final = 12
_MAX_BMP_HEADER_BYTES: Final = 124
_PAGE_STARTS: Final = (b"<!doctype", b"<html", b"<?xml", b"{")


def recognise_format(head: bytes) -> str | None:
    """Return the format of an image, None where the bytes are those of no image that is known.

    Args:
        head: The first `HEAD_BYTES` bytes, or all.
    """
    for place, magic, name in _MAGIC:
        if head.startswith(magic, place):
            return name
    # Two letters are little to go by; the length of the header behind them has few values.
    header_bytes = int.from_bytes(head[14:18], "little")
    if head.startswith(b"BM") and _MIN_BMP_HEADER_BYTES <= header_bytes <= _MAX_BMP_HEADER_BYTES:
        return "BMP"
    return None


def recognise_other_content(head: bytes) -> tuple[str, str] | None:
    """Return kind and detail of what stands where an image should be, None where nobody knows it.

    Args:
        head: The first `HEAD_BYTES` bytes, or all.
    """
    if head.startswith(_LFS_POINTER):
        return "lfs-pointer", "a Git LFS pointer: fetch the image with git lfs pull"
    if head.startswith(_APPLEDOUBLE):
        return "appledouble", "a resource fork that macOS left (AppleDouble)"
    if head.startswith(_DS_STORE):
        return "os-file", "a .DS_Store of macOS"
    if head.lstrip().lower().startswith(_PAGE_STARTS):
        return "not-an-image", "a web page or other text, not an image"
    if not any(head):
        return "not-an-image", "the file begins with zeros, as after a copy that broke off"
    return None


def explain_other_content(head: bytes) -> tuple[str, str]:
    """Return kind and detail of a file that is no image.

    Args:
        head: Its first `HEAD_BYTES` bytes, or all.
    """
    unknown = "not-an-image", "the first bytes are those of no image format that is known"
    return recognise_other_content(head) or unknown


def is_dicom(content: bytes, name: str) -> bool:
    """Say whether a file is DICOM: by its prefix or, where nobody knows its content, by its name.

    Files without preamble and prefix have nothing else to be known by.

    Args:
        content: Its bytes.
        name: Its name.
    """
    if has_prefix(content):
        return True
    # PurePath takes 20 times as long.
    if os.path.splitext(name)[1].lower() not in DICOM_SUFFIXES:  # noqa: PTH122
        return False
    head = content[:HEAD_BYTES]
    return recognise_format(head) is None and recognise_other_content(head) is None


def is_named_as_read(name: str) -> bool:
    """Say whether a name ends in a suffix of any format that is read."""
    return name.lower().endswith(_ALL_SUFFIXES)


def is_named_right(name: str, file_format: str) -> bool:
    """Say whether a name ends in a suffix of a format that is read."""
    return name.lower().endswith(SUFFIXES[file_format])
