"""Opening an image's bytes with Pillow: the one way in for training and for inspection.

What training decodes and what inspection judges therefore cannot differ.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cxr.data.decoding.quiet_pillow import quiet_pillow
from cxr.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS: Final = ("JPEG", "PNG", "BMP", "TIFF")
"""Pillow's names of what is read. Its other readers stay shut, of which one starts a program."""

MAX_PIXELS: Final = 89_478_485
"""Images that claim more are refused before they are decoded.

Source: Pillow's ``Image.MAX_IMAGE_PIXELS``, a quarter of a gigabyte at three bytes a pixel, above
which it warns of a decompression bomb.
"""

PLAIN_MODES: Final = ("1", "L", "RGB")
"""Pillow modes that become 8-bit grey or RGB without a choice to be made."""

_DECODER_FAULTS: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
"""What Pillow's decoders raise for damaged files: they do not agree on one error."""

_EXIF_ORIENTATION: Final = 0x0112
_ORIENTATIONS: Final = range(1, 9)


@contextmanager
def opened_picture(content: bytes, *, where: str) -> Iterator[Image]:
    """Open an image for the block; whatever Pillow makes of it in there is an error of cxr.

    Nothing is decoded yet, and no pixel limit is applied; see `claims_too_much`.

    Args:
        content: The bytes of the file.
        where: The file, for an error.

    Raises:
        DataError: The content is no image that is read, or is damaged.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with quiet_pillow(), Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            yield picture
    except (*_DECODER_FAULTS, Image.DecompressionBombError) as error:
        # Pillow's own words for an unknown file hold a memory address.
        unknown = isinstance(error, UnidentifiedImageError)
        said = "not an image" if unknown else " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"an image cannot be decoded: {said}",
            where=where,
            hint="restore the file from its source, or move it out of the data set",
        ) from error


def claims_too_much(picture: Image) -> bool:
    """Say whether an image claims more pixels than are decoded."""
    return picture.width * picture.height > MAX_PIXELS


def has_deep_samples(picture: Image) -> bool:
    """Say whether a stored sample has more than 8 bits.

    The mode alone does not tell: Pillow opens 16-bit colour as 8-bit RGB and drops the low bytes.
    Ask before the image is loaded.
    """
    if picture.mode.startswith(("I", "F")):
        return True
    stored = repr([tile[3] for tile in getattr(picture, "tile", ())])
    return ";16" in stored or ";32" in stored


def has_transparency(picture: Image) -> bool:
    """Say whether a colour of an image without an alpha channel counts as transparent."""
    return "transparency" in picture.info


def count_frames(picture: Image) -> int:
    """Return the number of pictures in a file."""
    return int(getattr(picture, "n_frames", 1))


def read_orientation(picture: Image) -> int:
    """Return how a picture is stored, 1 to 8 as EXIF and XMP count; 1 where nothing valid is said.

    Ask after the image is loaded: a PNG may say it behind its pixels. A TIFF says it before alone,
    for Pillow turns it on loading.
    """
    orientation = picture.getexif().get(_EXIF_ORIENTATION, 1)
    return orientation if orientation in _ORIENTATIONS else 1


def turn_upright(picture: Image) -> Image:
    """Return a loaded picture turned and mirrored as its orientation says; no pixel changes."""
    from PIL import ImageOps

    if read_orientation(picture) == 1:
        return picture
    return ImageOps.exif_transpose(picture)
