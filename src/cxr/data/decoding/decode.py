"""Decoding one image file to uint8 pixels, by integer steps alone.

Pillow's JPEG decoder (libjpeg-turbo's integer transform) and its 8-bit resize are integer
arithmetic: one library version gives the same pixels on every machine. ``draft`` and ``thumbnail``
would let the decoder choose a scale and are not used.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cxr.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_PIXELS: Final = 100_000_000
"""Images that claim more are refused before they are decoded."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodePlan:
    """How an image becomes pixels; every field changes them.

    Attributes:
        size_px: Height and width.
        channels: 1 for grey, 3 for RGB.
        resample: ``bilinear`` or ``bicubic``.
    """

    size_px: int
    channels: int
    resample: str


def decode_image(content: bytes, plan: DecodePlan, *, where: str) -> NDArray[np.uint8]:
    """Decode, orient, convert and resize one image.

    Args:
        content: The bytes of the file.
        plan: How.
        where: The file, for an error.

    Returns:
        Shape (size_px, size_px, channels), dtype uint8.

    Raises:
        DataError: The content is no image, is damaged, or needs a choice that is not made here.
    """
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    resample = getattr(Image.Resampling, plan.resample.upper())
    try:
        with Image.open(io.BytesIO(content)) as image:
            _require_plain(image, where=where)
            image.load()
            upright: Image.Image = image
            if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
                upright = ImageOps.exif_transpose(image)
            # Equal channels become that grey without loss: the weights add up to 65,536.
            converted = upright.convert("L" if plan.channels == 1 else "RGB")
            resized = converted.resize((plan.size_px, plan.size_px), resample)
    except DataError:
        raise
    except (*_DECODER_FAULTS, Image.DecompressionBombError) as error:
        # Pillow's own words for an unknown file hold a memory address.
        unknown = isinstance(error, UnidentifiedImageError)
        said = "not an image" if unknown else " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"an image cannot be decoded: {said}",
            where=where,
            hint="restore the file from its source, or move it out of the data set",
        ) from error
    pixels = np.asarray(resized, dtype=np.uint8)
    return pixels.reshape(plan.size_px, plan.size_px, plan.channels)


def _require_plain(image: Any, *, where: str) -> None:
    """Refuse an image that could be read in more than one way.

    Raises:
        DataError: Saying what the choice would be.
    """
    problem = None
    if image.width * image.height > MAX_PIXELS:
        problem = f"an image claims {image.width} x {image.height} pixels"
    elif image.mode not in PLAIN_MODES:
        problem = f"an image has the mode {image.mode}, neither 8-bit grey nor RGB"
    elif "transparency" in image.info:
        problem = "an image has a colour that counts as transparent"
    elif getattr(image, "n_frames", 1) > 1:
        problem = f"an image has {image.n_frames} frames"
    if problem is not None:
        raise DataError(
            problem,
            where=where,
            hint="convert it to a single 8-bit grey or RGB picture, and say how in your records",
        )
