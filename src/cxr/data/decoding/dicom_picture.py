"""A DICOM file as an 8-bit picture: black is air, whatever the file calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cxr.data.decoding.dicom_header import DicomHeader, read_header
from cxr.data.decoding.dicom_layout import Layout, derive_layout
from cxr.data.decoding.dicom_pixels import read_stored, read_stream
from cxr.data.decoding.dicom_window import derive_ramp, derive_rescale
from cxr.data.decoding.ramp import Ramp, Rescale, level_integers
from cxr.data.decoding.window import Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomImage:
    """A DICOM image as it is stored.

    Attributes:
        header: The elements that pixels depend on.
        layout: How pixels are laid out.
        stream: As `read_stream` returns it.
        stored: As `read_stored` returns them.
    """

    header: DicomHeader
    layout: Layout
    stream: bytes
    stored: NDArray[Any]


def load_dicom(content: bytes, *, where: str) -> DicomImage:
    """Read a DICOM image as it is stored.

    Args:
        content: The bytes of the file.
        where: The file, for an error.

    Raises:
        DicomRefusedError: It is damaged, or of a kind that is not read.
    """
    header = read_header(content, where=where)
    layout = derive_layout(header)
    stream = read_stream(header, layout)
    stored = read_stored(header, layout)
    return DicomImage(header=header, layout=layout, stream=stream, stored=stored)


def open_dicom(content: bytes, window: Window | None, *, where: str) -> Image.Image:
    """Return a DICOM image as a picture of Pillow's mode ``L`` or ``RGB``.

    Args:
        content: The bytes of the file.
        window: What is declared, or None: then only values from 0 to 255 are read.
        where: The file, for an error.

    Raises:
        DicomRefusedError: It is damaged, of a kind that is not read, or needs a window.
    """
    from PIL import Image

    image = load_dicom(content, where=where)
    if image.layout.samples > 1:
        return Image.fromarray(image.stored)
    return Image.fromarray(show_grey(image, window))


def show_grey(image: DicomImage, window: Window | None) -> NDArray[np.uint8]:
    """Return grey values as they are shown: rescaled, windowed, inverted, padding black.

    Returns:
        Shape (rows, columns), dtype uint8.

    Raises:
        DicomRefusedError: The image needs a window, and there is none.
    """
    rescale = derive_rescale(image.header)
    padding = find_padding(image)
    shown = image.stored.ravel() if padding is None else image.stored[~padding]
    ramp = derive_ramp(image.header, image.layout, rescale, shown, window)
    return paint(image, ramp, rescale, padding)


def paint(
    image: DicomImage, ramp: Ramp, rescale: Rescale, padding: NDArray[np.bool_] | None
) -> NDArray[np.uint8]:
    """Return grey values through a ramp: shape (rows, columns), dtype uint8."""
    import numpy as np

    grey = level_integers(image.stored, ramp, rescale)
    if image.layout.photometric == "MONOCHROME1":
        grey = np.uint8(255) - grey
    if padding is not None:
        grey[padding] = 0
    return grey


def find_padding(image: DicomImage) -> NDArray[np.bool_] | None:
    """Return where padding stands instead of a picture: shape (rows, columns); None without any.

    Source: DICOM PS3.3 C.7.5.1.1.2.
    """
    header, layout = image.header, image.layout
    if not header.has("PixelPaddingValue"):
        return None
    value = layout.wrap(header.read_integer("PixelPaddingValue"))
    limit = value
    if header.has("PixelPaddingRangeLimit"):
        limit = layout.wrap(header.read_integer("PixelPaddingRangeLimit"))
    low, high = min(value, limit), max(value, limit)
    found: NDArray[np.bool_] = (image.stored >= low) & (image.stored <= high)
    return found
