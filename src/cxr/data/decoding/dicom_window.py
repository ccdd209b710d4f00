"""From stored values to what they stand for, and the window that makes bytes of them.

Source: DICOM PS3.3 C.11.1.1.2 (rescale), C.11.2.1.2.1 (LINEAR) and C.11.2.1.3.2 (LINEAR_EXACT).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from cxr.data.decoding.dicom_header import DicomHeader
from cxr.data.decoding.dicom_layout import Layout
from cxr.data.decoding.ramp import Ramp, Rescale
from cxr.data.decoding.window import Window, find_percentiles, find_range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DECLARE: Final = "set data.window.kind to file, range or percentile: see docs/dicom.md"

RANGE: Final = "set data.window.kind to range or percentile"

_HALF: Final = Fraction(1, 2)
_BYTE: Final = 8
_FUNCTIONS: Final = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def derive_rescale(header: DicomHeader) -> Rescale:
    """Return what stored values stand for.

    Raises:
        DicomRefusedError: By a table instead of a slope, or the slope is 0.
    """
    if "ModalityLUTSequence" in header.elements:
        problem = "a DICOM image's values stand for those of a table (Modality LUT Sequence)"
        raise header.refuse("colour-space", problem)
    slope, intercept = header.read_decimal("RescaleSlope"), header.read_decimal("RescaleIntercept")
    if slope == 0:
        raise header.refuse("damaged", "a DICOM header's RescaleSlope is 0")
    return Rescale(slope=Fraction(1) if slope is None else slope, intercept=intercept or Fraction())


def needs_window(layout: Layout, rescale: Rescale) -> bool:
    """Say whether grey values are other than 0 to 255 as they are stored."""
    return layout.bits_stored != _BYTE or layout.signed or not rescale.is_identity


def find_own_ramp(header: DicomHeader) -> Ramp | None:
    """Return the first window that the file names, or None where it names none.

    Raises:
        DicomRefusedError: It names one of a kind that is not read.
    """
    center, width = header.read_decimal("WindowCenter"), header.read_decimal("WindowWidth")
    if center is None or width is None:
        if "VOILUTSequence" in header.elements:
            problem = "a DICOM image's own window is a table (VOI LUT Sequence), which is not read"
            raise header.refuse("unsupported-window", problem, RANGE)
        return None
    function = header.read_text("VOILUTFunction") or "LINEAR"
    if function == "LINEAR" and width >= 1:
        half = (width - 1) / 2
        return Ramp(low=center - _HALF - half, high=center - _HALF + half)
    if function == "LINEAR_EXACT" and width > 0:
        return Ramp(low=center - width / 2, high=center + width / 2)
    if function in ("LINEAR", "LINEAR_EXACT"):
        raise header.refuse("damaged", "a DICOM header's WindowWidth is too small")
    name = function if function in _FUNCTIONS else "unknown"
    problem = f"a DICOM image's own window has the function {name}, which is not read"
    raise header.refuse("unsupported-window", problem, RANGE)


def derive_ramp(
    header: DicomHeader,
    layout: Layout,
    rescale: Rescale,
    shown: NDArray[np.integer[Any]],
    window: Window | None,
) -> Ramp:
    """Return the ramp from what values stand for to bytes.

    Args:
        header: The file's elements.
        layout: How pixels are laid out.
        rescale: What stored values stand for.
        shown: The stored values that are no padding, shape (N,).
        window: What is declared, or None.

    Raises:
        DicomRefusedError: No window is declared, or none can be found, and one is needed.
    """
    if window is not None and window.kind == "range":
        return find_range(window)
    if window is not None and window.kind == "percentile":
        return _find_percentile_ramp(window, rescale, shown)
    own = find_own_ramp(header) if window is not None else None
    if own is not None:
        return own
    if not needs_window(layout, rescale):
        return Ramp(low=Fraction(0), high=Fraction(255))
    said = describe_depth(layout)
    if window is None:
        raise header.refuse("16-bit", f"{said}, and no window is declared", DECLARE)
    raise header.refuse("16-bit", f"{said}, and names no window of its own", RANGE)


def describe_depth(layout: Layout) -> str:
    """Say why an image needs a window."""
    sign = "signed " if layout.signed else ""
    more = "" if layout.bits_stored != _BYTE or layout.signed else " and a rescale slope"
    return f"a DICOM image has {sign}values of {layout.bits_stored} bits{more}"


def _find_percentile_ramp(
    window: Window, rescale: Rescale, shown: NDArray[np.integer[Any]]
) -> Ramp:
    import numpy as np

    if not shown.size:
        return Ramp(low=Fraction(0), high=Fraction(0))
    values, counts = np.unique(shown, return_counts=True)
    if rescale.slope < 0:
        values, counts = values[::-1], counts[::-1]
    # Ranks are found among stored values: what they stand for has the same order.
    ranks = find_percentiles(window, values.tolist(), counts.tolist())
    return Ramp(low=rescale.apply(int(ranks.low)), high=rescale.apply(int(ranks.high)))
