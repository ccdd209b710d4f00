"""Decoding one image file to uint8 pixels, by integer steps alone.

Pillow's JPEG decoder (libjpeg-turbo's integer transform) and its 8-bit resize are integer
arithmetic: one library version gives the same pixels on every machine. ``draft`` and ``thumbnail``
would let the decoder choose a scale and are not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxr.data.decoding.open_picture import (
    PLAIN_MODES,
    claims_too_much,
    count_frames,
    has_deep_samples,
    has_transparency,
    opened_picture,
    turn_upright,
)
from cxr.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


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
    with opened_picture(content, where=where) as picture:
        _require_plain(picture, where=where)
        picture.load()
        return fit_picture(turn_upright(picture), plan)


def fit_picture(upright: Image, plan: DecodePlan) -> NDArray[np.uint8]:
    """Convert a plain picture to the plan's channels and resize it.

    Args:
        upright: A picture of one of the modes ``1``, ``L`` and ``RGB``.
        plan: Which channels and size.

    Returns:
        Shape (size_px, size_px, channels), dtype uint8.
    """
    import numpy as np
    from PIL.Image import Resampling

    # Equal channels become that grey without loss: the weights add up to 65,536.
    converted = upright.convert("L" if plan.channels == 1 else "RGB")
    resample = Resampling[plan.resample.upper()]
    resized = converted.resize((plan.size_px, plan.size_px), resample)
    pixels = np.asarray(resized, dtype=np.uint8)
    return pixels.reshape(plan.size_px, plan.size_px, plan.channels)


def _require_plain(picture: Image, *, where: str) -> None:
    """Refuse an image that could be read in more than one way.

    Raises:
        DataError: Saying what the choice would be.
    """
    problem = None
    if claims_too_much(picture):
        problem = f"an image claims {picture.width} x {picture.height} pixels"
    elif picture.mode not in PLAIN_MODES:
        problem = f"an image has the mode {picture.mode}, neither 8-bit grey nor RGB"
    elif has_deep_samples(picture):
        problem = "an image has samples of more than 8 bits"
    elif has_transparency(picture):
        problem = "an image has a colour that counts as transparent"
    elif (num_frames := count_frames(picture)) > 1:
        problem = f"an image has {num_frames} frames"
    if problem is not None:
        raise DataError(
            problem,
            where=where,
            hint="convert it to a single 8-bit grey or RGB picture, and say how in your records",
        )
