"""Pictures of 16 and 32 bits a pixel, made 8-bit by a declared window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cxr.data.decoding.ramp import Ramp, Rescale, level_floats, level_integers
from cxr.data.decoding.window import Window, find_percentiles, find_range
from cxr.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

DEEP_MODES: Final = ("I;16", "I;16B", "I;16L", "I", "F")
"""Pillow's modes with more than 8 bits, all of them grey."""

DECLARE: Final = "declare data.window, or convert it to 8-bit grey and say how in your records"

_PHOTOMETRIC: Final = 262
_HINT: Final = "convert it to a single 8-bit grey or RGB picture, and say how in your records"


def require_window(mode: str, window: Window | None, *, where: str) -> None:
    """Refuse a picture of more than 8 bits for which no window can be found.

    Raises:
        DataError: Saying which field declares one.
    """
    if window is None:
        said, hint = f"an image has the mode {mode}, neither 8-bit grey nor RGB", DECLARE
    elif window.kind == "file":
        said = f"an image has the mode {mode} and no window of its own: only DICOM files name one"
        hint = "set data.window.kind to range or percentile"
    else:
        return
    raise DataError(said, where=where, hint=hint)


def show_deep(picture: Image.Image, window: Window, *, where: str) -> Image.Image:
    """Return a picture of more than 8 bits through a window.

    Args:
        picture: Of one of `DEEP_MODES`, upright.
        window: Of the kind ``range`` or ``percentile``.
        where: The file, for an error.

    Returns:
        The picture in the mode ``L``.

    Raises:
        DataError: Some values are not finite.
    """
    import numpy as np
    from PIL import Image

    values = np.asarray(picture)
    if picture.mode == "F":
        return Image.fromarray(_show_floats(values, window, where=where))
    native = values.astype(values.dtype.newbyteorder("="))
    return Image.fromarray(level_integers(native, _find_ramp(native, window), Rescale()))


def require_black_zero(picture: Image.Image, *, where: str) -> None:
    """Refuse a TIFF of more than 8 bits in which 0 is white: Pillow does not turn its values.

    Raises:
        DataError: It is one.
    """
    if dict(getattr(picture, "tag_v2", {})).get(_PHOTOMETRIC) == 0:
        problem = f"an image has the mode {picture.mode}, and 0 is white in it"
        raise DataError(problem, where=where, hint=_HINT)


def _show_floats(
    values: NDArray[np.floating[Any]], window: Window, *, where: str
) -> NDArray[np.uint8]:
    import numpy as np

    if not np.isfinite(values).all():
        raise DataError("an image has pixels that are not finite", where=where, hint=_HINT)
    return level_floats(values, _find_ramp(values, window))


def _find_ramp(values: NDArray[Any], window: Window) -> Ramp:
    import numpy as np

    if window.kind == "range":
        return find_range(window)
    found, counts = np.unique(values, return_counts=True)
    return find_percentiles(window, found.tolist(), counts.tolist())
