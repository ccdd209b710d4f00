"""Decoding one image file to uint8 pixels, by integer steps alone.

Pillow's JPEG decoder (libjpeg-turbo's integer transform) and its 8-bit resize are integer
arithmetic: one library version gives the same pixels on every machine. ``draft`` and ``thumbnail``
would let the decoder choose a scale and are not used.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from cxr.data.decoding.deep_picture import (
    DEEP_MODES,
    require_black_zero,
    require_window,
    show_deep,
)
from cxr.data.decoding.file_format import is_dicom
from cxr.data.decoding.jpeg_scans import find_too_many_scans
from cxr.data.decoding.open_picture import (
    PLAIN_MODES,
    claims_too_much,
    count_frames,
    has_deep_samples,
    has_transparency,
    opened_picture,
    turn_upright,
)
from cxr.data.decoding.window import Window
from cxr.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


_JPEG: Final = ("JPEG", "MPO")
"""Pillow's names of JPEG files, of one picture and of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodePlan:
    """How an image becomes pixels; every field changes them.

    Attributes:
        size_px: Height and width; 0: as large as the picture is.
        channels: 1 for grey, 3 for RGB.
        resample: ``bilinear`` or ``bicubic``.
        window: What becomes 0 and what 255 where values have more than 8 bits; None refuses them.
    """

    size_px: int
    channels: int
    resample: str
    window: Window | None = None

    def describe(self) -> dict[str, Any]:
        """Return every field that is set: what a decode cache is named by."""
        return {name: value for name, value in asdict(self).items() if value is not None}


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
    if is_dicom(content, where):
        from cxr.data.decoding.dicom_picture import open_dicom

        return fit_picture(open_dicom(content, plan.window, where=where), plan)
    with opened_picture(content, where=where) as picture:
        _require_few_scans(content, picture, where=where)
        _require_plain(picture, plan.window, where=where)
        picture.load()
        upright = turn_upright(picture)
        if plan.window is not None and upright.mode in DEEP_MODES:
            upright = show_deep(upright, plan.window, where=where)
        return fit_picture(upright, plan)


def fit_picture(upright: Image, plan: DecodePlan) -> NDArray[np.uint8]:
    """Convert a plain picture to the plan's channels and resize it.

    Args:
        upright: A picture of one of the modes ``1``, ``L`` and ``RGB``.
        plan: Which channels and size; at the same size pixels stay as they are.

    Returns:
        Shape (size_px, size_px, channels), dtype uint8.
    """
    import numpy as np
    from PIL.Image import Resampling

    # Equal channels become that grey without loss: the weights add up to 65,536.
    converted = upright.convert("L" if plan.channels == 1 else "RGB")
    size = (plan.size_px, plan.size_px) if plan.size_px else converted.size
    resized = converted.resize(size, Resampling[plan.resample.upper()])
    pixels = np.asarray(resized, dtype=np.uint8)
    return pixels.reshape(size[1], size[0], plan.channels)


def _require_few_scans(content: bytes, picture: Image, *, where: str) -> None:
    """Refuse a JPEG file that would keep a decoder busy, whatever the config accepts.

    Raises:
        DataError: Saying how many scans it has.
    """
    if picture.format in _JPEG and (said := find_too_many_scans(content)):
        problem = f"an image has {said}"
        raise DataError(problem, where=where, hint="write it anew, as a JPEG or PNG of one scan")


def _require_plain(picture: Image, window: Window | None, *, where: str) -> None:
    """Refuse an image that could be read in more than one way.

    Raises:
        DataError: Saying what the choice would be.
    """
    deep = picture.mode in DEEP_MODES
    if deep:
        require_window(picture.mode, window, where=where)
        require_black_zero(picture, where=where)
    problem = None
    if claims_too_much(picture):
        problem = f"an image claims {picture.width} x {picture.height} pixels"
    elif not deep and picture.mode not in PLAIN_MODES:
        problem = f"an image has the mode {picture.mode}, neither 8-bit grey nor RGB"
    elif not deep and has_deep_samples(picture):
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
