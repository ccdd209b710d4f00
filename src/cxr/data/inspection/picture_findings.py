"""What is wrong with an image whose file is sound: choices that nobody made, and odd pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cxr.data.decoding.open_picture import (
    count_frames,
    has_deep_samples,
    has_transparency,
    read_orientation,
)
from cxr.data.inspection.finding import Finding
from cxr.data.inspection.tiff_layout import is_exif_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

MIN_SIDE_PX: Final = 32
MAX_ASPECT: Final = 3

_MODES: Final[dict[str, tuple[str, ...]]] = {
    "P": ("palette",),
    "PA": ("palette", "alpha"),
    "RGBA": ("alpha",),
    "RGBa": ("alpha",),
    "LA": ("alpha",),
    "La": ("alpha",),
    "CMYK": ("cmyk",),
    "LAB": ("colour-space",),
    "HSV": ("colour-space",),
    "YCbCr": ("colour-space",),
}
_PLAIN: Final = ("1", "L", "RGB")
_GREY_AXES: Final = 2
_COLOURS: Final = 3
_EXIF_NAME: Final = b"Exif\0\0"


def find_choices(picture: Image) -> list[Finding]:
    """Return what would have to be decided before a picture could be read, and a TIFF's turn.

    Args:
        picture: Opened, not loaded: what is stored is forgotten on loading.
    """
    mode, found = picture.mode, list[Finding]()
    if (num_frames := count_frames(picture)) > 1:
        found.append(("multi-frame", f"{num_frames} pictures in one file"))
    kinds = _MODES.get(mode, ())
    found += [(kind, f"pixels of the kind {mode}") for kind in kinds]
    if has_transparency(picture) and "alpha" not in kinds:
        found.append(("alpha", "one colour counts as transparent"))
    if mode in ("I", "F"):
        found.append(("32-bit", f"pixels of the kind {mode}"))
    elif has_deep_samples(picture):
        found.append(("16-bit", "samples of more than 8 bits"))
    elif mode not in _PLAIN and not kinds:
        found.append(("colour-space", f"pixels of the kind {mode}"))
    # Pillow turns a TIFF on loading. Of a PNG it would be too early to ask.
    return found + _find_turn(picture) if picture.format == "TIFF" else found


def find_oddities(picture: Image, pixels: NDArray[np.generic]) -> list[Finding]:
    """Return what is unusual about a picture that could be decoded.

    Args:
        picture: Loaded, as it is stored; a TIFF upright.
        pixels: Those of the same picture, upright: shape (height, width) or (height, width,
            channels).
    """
    found: list[Finding] = []
    height, width = pixels.shape[:2]
    if min(width, height) < MIN_SIDE_PX:
        found.append(("too-small", f"{width} x {height} px"))
    if max(width, height) > MAX_ASPECT * min(width, height):
        found.append(("odd-aspect", f"{width} x {height} px"))
    found += _find_turn(picture)
    if not _is_metadata_whole(picture):
        found.append(("bad-metadata", "the EXIF metadata break off or are garbled"))
    return found + _find_strange_values(pixels)


def find_colour(pixels: NDArray[Any]) -> list[Finding]:
    """Return whether the channels of 8-bit pixels are not all alike, and by how much.

    Args:
        pixels: Shape (height, width, 3); of another shape there is no colour.
    """
    if pixels.ndim == _GREY_AXES or pixels.shape[_GREY_AXES] != _COLOURS:
        return []
    most = int((pixels.max(axis=_GREY_AXES) - pixels.min(axis=_GREY_AXES)).max())
    return [("colour", f"its channels differ by up to {most}")] if most else []


def _find_turn(picture: Image) -> list[Finding]:
    """Return whether a picture is stored otherwise than it is seen."""
    if (orientation := read_orientation(picture)) == 1:
        return []
    return [("exif-rotated", f"stored turned or mirrored: orientation {orientation}")]


def _is_metadata_whole(picture: Image) -> bool:
    """Say whether EXIF metadata, where there are such, can be read."""
    exif: Any = picture.info.get("exif")
    return not isinstance(exif, bytes) or is_exif_whole(exif.removeprefix(_EXIF_NAME))


def _find_strange_values(pixels: NDArray[np.generic]) -> list[Finding]:
    """Return whether some pixels are no number, or all are equal."""
    import numpy as np

    if pixels.dtype.kind == "f" and (num_strange := int((~np.isfinite(pixels)).sum())):
        return [("nan-pixels", f"{num_strange:,} of {pixels.size:,} pixels")]
    # Along the picture, not the channels: one colour all over is constant.
    flat = pixels.reshape(-1, *pixels.shape[_GREY_AXES:])
    low, high = flat.min(axis=0), flat.max(axis=0)
    if (low == high).all():
        return [("constant", f"all pixels are {', '.join(map(str, low.reshape(-1)))}")]
    return []
