"""Inspecting the bytes of an image file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cxr.data.decoding.file_format import (
    HEAD_BYTES,
    SUFFIXES,
    explain_other_content,
    is_dicom,
    is_named_as_read,
    is_named_right,
    recognise_format,
)
from cxr.data.decoding.open_picture import (
    MAX_PIXELS,
    claims_too_much,
    opened_picture,
    turn_upright,
)
from cxr.data.inspection.bmp_layout import check_bmp
from cxr.data.inspection.finding import Finding
from cxr.data.inspection.jpeg_scan import check_jpeg_scan
from cxr.data.inspection.jpeg_stream import read_jpeg
from cxr.data.inspection.likeness import derive_likeness
from cxr.data.inspection.look import Look
from cxr.data.inspection.picture_findings import find_choices, find_colour, find_oddities
from cxr.data.inspection.pixels_digest import digest_pixels, simplify_picture
from cxr.data.inspection.png_chunks import check_png
from cxr.data.inspection.tiff_layout import check_tiff
from cxr.digests.canonical import digest_bytes
from cxr.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

_EIGHT_BIT: Final = ("1", "L", "P", "RGB", "LA", "RGBA", "CMYK")
"""Modes whose likeness can be taken without choosing a window."""

_COSTLY: Final = ("bomb", "multi-frame")
"""What a structure can be found to be that nobody need decode, or count further, to know."""


FileBytes = tuple[bytes, str]
"""What `inspect_file` takes: the bytes of a file, and its name."""

InspectFiles = Callable[[Sequence[FileBytes]], list[Look]]
"""`inspect_files`, or what does the same elsewhere."""


def inspect_files(files: Sequence[FileBytes]) -> list[Look]:
    """Inspect several files; see `inspect_file`."""
    return [inspect_file(content, name=name) for content, name in files]


def inspect_file(content: bytes, *, name: str) -> Look:
    """Say what an image file is and what is wrong with it.

    A file whose structure is broken is decoded all the same, if it can be: that damage shows in its
    pixels is then for the reader to see. Nothing is an error here.

    Args:
        content: Its bytes.
        name: Its name, whose suffix is held against the content.
    """
    blank = Look(num_bytes=len(content), sha256=digest_bytes(content))
    if not content:
        return replace(blank, findings=(("empty", "the file has no bytes"),))
    if is_dicom(content, name):
        from cxr.data.inspection.dicom import inspect_dicom

        return _judge_name(inspect_dicom(content, name=name), name, "DICOM")
    file_format = recognise_format(content[:HEAD_BYTES])
    if file_format is None:
        return replace(blank, findings=(explain_other_content(content[:HEAD_BYTES]),))
    if file_format not in SUFFIXES:
        # By its name it would be trained on, or it is passed over.
        kind = "not-an-image" if is_named_as_read(name) else "unsupported-format"
        detail = f"the content is {file_format}, which is not read"
        return replace(blank, findings=((kind, detail),))
    structure = _check_structure(content, file_format)
    look = _look_at_picture(blank, content, structure)
    return _judge_name(look, name, file_format)


def _judge_name(look: Look, name: str, file_format: str) -> Look:
    if is_named_right(name, file_format):
        return look
    misnamed = ("wrong-suffix", f"the content is {file_format}")
    return replace(look, findings=(*look.findings, misnamed))


def _check_structure(content: bytes, file_format: str) -> list[Finding]:
    """Return what is wrong with a file whether or not it can be decoded."""
    if file_format == "JPEG":
        head, findings = read_jpeg(content)
        return findings or check_jpeg_scan(content, head)
    check = {"PNG": check_png, "BMP": check_bmp, "TIFF": check_tiff}[file_format]
    return check(content)


def _look_at_picture(blank: Look, content: bytes, structure: list[Finding]) -> Look:
    """Decode a picture once and say all of it."""
    from PIL.Image import DecompressionBombError

    findings = list(structure)
    width, height, mode = 0, 0, ""
    try:
        with opened_picture(content, where="") as picture:
            width, height, mode = *picture.size, picture.mode
            if claims_too_much(picture):
                findings = [_describe_bomb(f"{width:,} x {height:,} px")]
            elif not any(kind in _COSTLY for kind, _ in structure):
                findings += find_choices(picture)
                picture.load()
                return _describe(blank, picture, findings)
    except DataError as error:
        if isinstance(error.__cause__, DecompressionBombError):
            findings = [_describe_bomb("more than Pillow opens")]
        elif isinstance(error.__cause__, MemoryError):
            findings = [("unreadable", "too little memory to decode it")]
        elif not structure:
            kind = "truncated" if "truncated" in error.problem.lower() else "damaged"
            findings.append((kind, error.problem.removeprefix("an image ")))
    return replace(blank, width=width, height=height, mode=mode, findings=tuple(findings))


def _describe_bomb(claim: str) -> Finding:
    return "bomb", f"{claim}; {MAX_PIXELS:,} pixels at most are decoded"


def _describe(blank: Look, picture: Image, findings: list[Finding]) -> Look:
    """Say what the decoded pixels are, and what is odd about them besides ``findings``."""
    upright = turn_upright(picture)
    simple, pixels = simplify_picture(upright)
    oddities = find_oddities(picture, pixels)
    if upright.mode == "RGB":
        oddities += find_colour(pixels)
    return replace(
        blank,
        pixels=digest_pixels(pixels),
        width=upright.width,
        height=upright.height,
        mode=picture.mode,
        likeness=_derive_likeness(upright, simple),
        findings=(*findings, *oddities),
    )


def _derive_likeness(upright: Image, simple: Image) -> int | None:
    """Return a likeness, None of samples of more than 8 bits, of which a window would be chosen."""
    if upright.mode not in _EIGHT_BIT:
        return None
    return derive_likeness(simple if simple.mode == "L" else upright.convert("L"))
