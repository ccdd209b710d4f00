"""Transfer syntaxes: how a DICOM file stores its pixels, and which package decodes each.

Where two packages could decode one syntax, they may round differently. So each syntax has one
decoder here, whatever else is installed.
Source: DICOM PS3.5 section 10 and PS3.6 annex A.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Final

from cxr.data.decoding.dicom_jpeg import PLUGIN
from cxr.data.decoding.dicom_refusal import INSTALL, DicomRefusedError

SUFFIXES: Final = frozenset({".dcm", ".dicom"})

_PREFIX: Final = b"DICM"
_PREFIX_AT: Final = 128
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_SYNTAX: Final = b"\x02\x00\x10\x00UI"
_HEAD_BYTES: Final = 8192

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"


@dataclass(frozen=True, slots=True)
class Syntax:
    """How pixels are stored.

    Attributes:
        name: As the standard has it.
        plugin: pydicom's name of the decoder; empty where nothing is compressed; None where cxr
            decodes none such.
        package: What holds that decoder.
        module: What is imported of that package.
    """

    name: str
    plugin: str | None = None
    package: str = ""
    module: str = ""


_PILLOW: Final = ("pillow", "pillow", "PIL")
_OPENJPEG: Final = ("pylibjpeg", "pylibjpeg-openjpeg", "openjpeg")
# pydicom's own is slower than pylibjpeg-rle, which panics on damaged files.
_RLE: Final = ("pydicom", "pydicom", "pydicom")
_CHARLS: Final = ("pyjpegls", "pyjpegls", "jpeg_ls")
_TURBO: Final = (PLUGIN, "imagecodecs", "imagecodecs")

SYNTAXES: Final[dict[str, Syntax]] = {
    IMPLICIT_LITTLE: Syntax("Implicit VR Little Endian", ""),
    EXPLICIT_LITTLE: Syntax("Explicit VR Little Endian", ""),
    EXPLICIT_BIG: Syntax("Explicit VR Big Endian", ""),
    # A few bytes may inflate to any number of them before anything can be checked.
    _DEFLATED: Syntax("Deflated Explicit VR Little Endian"),
    "1.2.840.10008.1.2.5": Syntax("RLE Lossless", *_RLE),
    "1.2.840.10008.1.2.4.50": Syntax("JPEG Baseline", *_PILLOW),
    "1.2.840.10008.1.2.4.51": Syntax("JPEG Extended", *_TURBO),
    "1.2.840.10008.1.2.4.57": Syntax("JPEG Lossless", *_TURBO),
    "1.2.840.10008.1.2.4.70": Syntax("JPEG Lossless, First-Order Prediction", *_TURBO),
    "1.2.840.10008.1.2.4.80": Syntax("JPEG-LS Lossless", *_CHARLS),
    "1.2.840.10008.1.2.4.81": Syntax("JPEG-LS Near-Lossless", *_CHARLS),
    "1.2.840.10008.1.2.4.90": Syntax("JPEG 2000 Lossless", *_OPENJPEG),
    "1.2.840.10008.1.2.4.91": Syntax("JPEG 2000", *_OPENJPEG),
    "1.2.840.10008.1.2.4.92": Syntax("JPEG 2000 Part 2 Lossless"),
    "1.2.840.10008.1.2.4.93": Syntax("JPEG 2000 Part 2"),
    "1.2.840.10008.1.2.4.94": Syntax("JPIP Referenced"),
    "1.2.840.10008.1.2.4.95": Syntax("JPIP Referenced Deflate"),
    "1.2.840.10008.1.2.4.100": Syntax("MPEG2 Main Profile / Main Level"),
    "1.2.840.10008.1.2.4.101": Syntax("MPEG2 Main Profile / High Level"),
    "1.2.840.10008.1.2.4.102": Syntax("MPEG-4 AVC/H.264 High Profile"),
    "1.2.840.10008.1.2.4.103": Syntax("MPEG-4 AVC/H.264 BD-compatible High Profile"),
    "1.2.840.10008.1.2.4.107": Syntax("HEVC/H.265 Main Profile"),
    "1.2.840.10008.1.2.4.108": Syntax("HEVC/H.265 Main 10 Profile"),
    "1.2.840.10008.1.2.4.110": Syntax("JPEG XL Lossless"),
    "1.2.840.10008.1.2.4.112": Syntax("JPEG XL"),
    "1.2.840.10008.1.2.4.201": Syntax("High-Throughput JPEG 2000 Lossless", *_OPENJPEG),
    "1.2.840.10008.1.2.4.202": Syntax("High-Throughput JPEG 2000 with RPCL Lossless", *_OPENJPEG),
    "1.2.840.10008.1.2.4.203": Syntax("High-Throughput JPEG 2000", *_OPENJPEG),
}


def has_prefix(content: bytes) -> bool:
    """Say whether a file has the preamble and prefix of DICOM's file format."""
    return content[_PREFIX_AT : _PREFIX_AT + len(_PREFIX)] == _PREFIX


def find_syntax(content: bytes) -> str:
    """Return the UID of the transfer syntax, or an empty text where the file names none.

    It is looked for in the bytes, before any library reads the file: some syntaxes are not to be
    opened at all. The file's meta information is always explicit and little endian.

    A library may find another one where meta information is odd, long or said twice. It must never
    inflate a file: wherever the name of that syntax stands, the file is taken for one of it.
    """
    if _DEFLATED.encode("ascii") in content:
        return _DEFLATED
    place = content.find(_SYNTAX, _PREFIX_AT, _HEAD_BYTES)
    if place < 0:
        return ""
    start = place + len(_SYNTAX) + 2
    length = int.from_bytes(content[start - 2 : start], "little")
    return content[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")


def require_decoder(uid: str, *, where: str) -> Syntax:
    """Return a transfer syntax that can be decoded here.

    Raises:
        DicomRefusedError: It cannot; saying which it is, and which package would decode it.
    """
    syntax = SYNTAXES.get(uid)
    if syntax is None or syntax.plugin is None:
        # A UID may hold an institution's root and a person's number: only known ones are shown.
        name = f"the transfer syntax {syntax.name} ({uid})" if syntax else "an unknown one"
        problem = f"a DICOM image is compressed in a way that cxr does not read: {name}"
        hint = "convert it without loss to a transfer syntax that is read, and record how"
        raise DicomRefusedError("unsupported-transfer-syntax", problem, where=where, hint=hint)
    if syntax.module and not _is_installed(syntax.module):
        problem = f"a DICOM image in {syntax.name} needs {syntax.package}, which is not installed"
        raise DicomRefusedError("no-decoder", problem, where=where, hint=INSTALL)
    return syntax


def _is_installed(module: str) -> bool:
    """Say whether a module can be found; nothing is imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
