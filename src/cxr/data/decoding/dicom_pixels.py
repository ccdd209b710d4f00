"""The stored values of a DICOM image: decompressed, unused bits left out, signs extended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cxr.data.decoding import dicom_jpeg
from cxr.data.decoding.dicom_codestream import find_claimed_size, find_frame, is_ended, is_jpeg
from cxr.data.decoding.dicom_header import DicomHeader
from cxr.data.decoding.dicom_layout import Layout
from cxr.data.decoding.dicom_library import import_pydicom, list_faults
from cxr.data.decoding.dicom_syntaxes import Syntax, require_decoder
from cxr.data.decoding.jpeg_scans import find_too_many_scans

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RLE: Final = "1.2.840.10008.1.2.5"
_WORD: Final = 16


def read_stream(header: DicomHeader, layout: Layout) -> bytes:
    """Return the compressed part of an image; nothing where its pixels are not compressed.

    Raises:
        DicomRefusedError: It is cut, is several, or is not what the header says; there are too few
            pixels; or nothing decodes them here.
    """
    syntax = require_decoder(header.syntax, where=header.where)
    content = header.elements["PixelData"]
    if content is None:
        raise header.refuse("damaged", "a DICOM image's pixels are no bytes")
    if syntax.plugin:
        stream = _join_fragments(header, content)
        if header.syntax != _RLE:
            _require_honest_stream(header, layout, stream)
        return stream
    if len(content) < layout.num_bytes:
        problem = f"a DICOM image has {len(content):,} of {layout.num_bytes:,} bytes of pixels"
        raise header.refuse("truncated", problem)
    return b""


def read_stored(header: DicomHeader, layout: Layout) -> NDArray[Any]:
    """Return the stored values of a DICOM image, whose pixels `read_stream` found to be there.

    Returns:
        Shape (rows, columns) of dtype uint8, int8, uint16 or int16; or (rows, columns, 3) of dtype
        uint8, in RGB.

    Raises:
        DicomRefusedError: They are damaged, or there is too little memory for them.
    """
    syntax = require_decoder(header.syntax, where=header.where)
    faults = list_faults(import_pydicom(where=header.where))
    try:
        pixels = _decode(header, layout, syntax)
    except MemoryError:
        raise header.refuse("unreadable", "too little memory to decode a DICOM image") from None
    except faults:
        problem = f"a DICOM image's pixels cannot be decoded as {syntax.name}"
        # From None: what the library said may quote the file.
        raise header.refuse("damaged", problem) from None
    return _correct_bits(pixels, layout)


def _join_fragments(header: DicomHeader, content: bytes) -> bytes:
    """Return the compressed part of an image, which may lie in several fragments."""
    faults = list_faults(import_pydicom(where=header.where))
    from pydicom.encaps import generate_fragments

    order = "<" if header.little else ">"
    try:
        # An item of the offsets comes first.
        fragments = list(generate_fragments(content, endianness=order))[1:]
    except faults:
        raise header.refuse("truncated", "a DICOM image's fragments end too early") from None
    if not fragments:
        raise header.refuse("truncated", "a DICOM image has no fragment of pixels")
    return b"".join(fragments)


def _require_honest_stream(header: DicomHeader, layout: Layout, stream: bytes) -> None:
    """Refuse what is cut, has another size or more bits than the header says, or too many scans."""
    size = find_claimed_size(stream)
    if is_jpeg(stream):
        frame = find_frame(stream)
        if frame is None:
            # A decoder might find one further on, of whatever size.
            raise header.refuse("damaged", "a DICOM image's compressed part has no frame")
        if frame.precision > layout.bits_allocated:
            problem = "a DICOM image's compressed part has more bits a value than its header"
            raise header.refuse("damaged", problem)
        size = frame.width, frame.height
    if size is not None and size != (layout.columns, layout.rows):
        problem = "a DICOM image's compressed part has another size than its header"
        raise header.refuse("damaged", problem)
    if is_jpeg(stream) and (said := find_too_many_scans(stream)):
        raise header.refuse("bomb", f"a DICOM image's compressed part has {said}")
    if not is_ended(stream):
        raise header.refuse("truncated", "a DICOM image's compressed part has no end")


def _decode(header: DicomHeader, layout: Layout, syntax: Syntax) -> NDArray[Any]:
    """Decode through the one plug-in that this transfer syntax has here."""
    from pydicom.pixels.decoders.base import get_decoder

    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "planar_configuration": layout.planar,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
        "pixel_vr": header.pixel_vr,
    }
    decoder = get_decoder(header.syntax)
    if syntax.plugin == dicom_jpeg.PLUGIN:
        dicom_jpeg.register(decoder, where=header.where)
    pixels: NDArray[Any]
    content, plugin = header.elements["PixelData"] or b"", syntax.plugin or ""
    pixels, _ = decoder.as_array(content, index=0, decoding_plugin=plugin, **options)
    return pixels


def _correct_bits(pixels: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Leave out bits that are not stored, whatever a decoder made of them, and extend the sign."""
    import numpy as np

    wide = layout.bits_allocated == _WORD
    values: NDArray[Any] = pixels.astype(np.uint16 if wide else np.uint8)
    if layout.samples > 1:
        return values
    unused = layout.bits_allocated - layout.bits_stored
    values = values << unused
    if layout.signed:
        values = values.view(np.int16 if wide else np.int8)
    return values >> unused
