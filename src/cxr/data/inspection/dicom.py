"""Inspecting a DICOM file: what it is, what is wrong with it, and whether it needs a window."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from cxr.data.decoding.dicom_codestream import is_jpeg
from cxr.data.decoding.dicom_header import DicomHeader
from cxr.data.decoding.dicom_picture import DicomImage, find_padding, load_dicom, paint
from cxr.data.decoding.dicom_refusal import DicomRefusedError
from cxr.data.decoding.dicom_window import (
    derive_rescale,
    describe_depth,
    find_own_ramp,
    needs_window,
)
from cxr.data.decoding.ramp import Ramp, Rescale
from cxr.data.inspection.jpeg_scan import check_jpeg_scan
from cxr.data.inspection.jpeg_stream import read_jpeg
from cxr.data.inspection.likeness import derive_likeness
from cxr.data.inspection.look import Look
from cxr.data.inspection.picture_findings import find_colour
from cxr.data.inspection.pixels_digest import digest_pixels
from cxr.digests.canonical import digest_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MIN_SIDE_PX: Final = 32
_MAX_ASPECT: Final = 3
_BYTE: Final = 8

Findings = list[tuple[str, str]]


def inspect_dicom(content: bytes, *, name: str) -> Look:
    """Say what a DICOM file is and what is wrong with it, quoting none of its texts.

    What depends on the declared window is settled by `cxr.data.inspection.windowed`: a look is a
    function of the file alone.

    Args:
        content: Its bytes.
        name: Its name.
    """
    sha256 = digest_bytes(content)
    try:
        image = load_dicom(content, where=name)
    except DicomRefusedError as error:
        found = ((error.kind, error.problem),)
        return Look(num_bytes=len(content), sha256=sha256, findings=found)
    grey, findings = _judge(image)
    rows, columns = image.stored.shape[:2]
    return Look(
        num_bytes=len(content),
        sha256=sha256,
        pixels=digest_pixels(image.stored),
        width=columns,
        height=rows,
        mode=_name_mode(image),
        likeness=_derive_likeness(grey),
        findings=(*findings, *_judge_size(columns, rows)),
    )


def _name_mode(image: DicomImage) -> str:
    if image.layout.samples > 1:
        return "RGB"
    return "I;16" if image.layout.bits_stored > _BYTE else "L"


def _judge(image: DicomImage) -> tuple[NDArray[np.uint8], Findings]:
    """Return the picture from its darkest value to its brightest, and what is wrong with it."""
    findings = [*_judge_annotation(image.header), *_judge_scan(image.stream)]
    if image.stored.min() == image.stored.max():
        findings.append(("constant", "all pixels are equal"))
    if image.layout.samples > 1:
        return image.stored, [*findings, *find_colour(image.stored)]
    padding = find_padding(image)
    shown = image.stored if padding is None or padding.all() else image.stored[~padding]
    rescale = Rescale()
    try:
        rescale = derive_rescale(image.header)
        findings += _judge_window(image, rescale)
    except DicomRefusedError as error:
        findings.append((error.kind, error.problem))
    return _stretch(image, shown, rescale, padding), findings


def _judge_annotation(header: DicomHeader) -> Findings:
    if header.read_text("BurnedInAnnotation").upper() == "YES":
        return [("burned-in", "its header says that text stands in its pixels")]
    return []


def _judge_scan(stream: bytes) -> Findings:
    """Return what is wrong with the scans of a JPEG within, as of a JPEG file."""
    if not is_jpeg(stream):
        return []
    head, findings = read_jpeg(stream)
    return findings or check_jpeg_scan(stream, head)


def _judge_window(image: DicomImage, rescale: Rescale) -> Findings:
    """Say whether a window is needed, and whether the file names one that can be used."""
    findings: Findings = []
    if needs_window(image.layout, rescale):
        findings.append(("16-bit", describe_depth(image.layout)))
    try:
        own = find_own_ramp(image.header)
    except DicomRefusedError as error:
        return [*findings, (error.kind, error.problem)]
    if own is not None:
        # Not which: whatever stands in a text is not repeated, a number no more than a word.
        findings.append(("own-window", "it names a window of its own"))
    return findings


def _stretch(
    image: DicomImage,
    shown: NDArray[Any],
    rescale: Rescale,
    padding: NDArray[np.bool_] | None,
) -> NDArray[np.uint8]:
    ends: list[Fraction] = sorted(rescale.apply(int(end)) for end in (shown.min(), shown.max()))
    return paint(image, Ramp(low=ends[0], high=ends[1]), rescale, padding)


def _judge_size(width: int, height: int) -> Findings:
    findings: Findings = []
    if min(width, height) < _MIN_SIDE_PX:
        findings.append(("too-small", f"{width} x {height} pixels"))
    if max(width, height) > _MAX_ASPECT * min(width, height):
        findings.append(("odd-aspect", f"{width} x {height} pixels"))
    return findings


def _derive_likeness(pixels: NDArray[np.uint8]) -> int | None:
    from PIL import Image

    return derive_likeness(Image.fromarray(pixels).convert("L"))
