"""From pixels that are there already, as in an array, to pixels of the size that is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr.data.decoding.decode import DecodePlan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def decode_pixels(pixels: NDArray[np.uint8], plan: DecodePlan) -> NDArray[np.uint8]:
    """Convert and resize one image, as `decode_image` does with one from a file.

    Args:
        pixels: Grey, shape (height, width), or RGB, shape (height, width, 3); dtype uint8.
        plan: How; at the same size pixels stay as they are.

    Returns:
        Shape (size_px, size_px, channels), dtype uint8.
    """
    import numpy as np
    from PIL import Image

    image = Image.fromarray(pixels)
    # Equal channels become that grey without loss: the weights add up to 65,536.
    converted = image.convert("L" if plan.channels == 1 else "RGB")
    resample = getattr(Image.Resampling, plan.resample.upper())
    resized = converted.resize((plan.size_px, plan.size_px), resample)
    return np.asarray(resized, dtype=np.uint8).reshape(plan.size_px, plan.size_px, plan.channels)
