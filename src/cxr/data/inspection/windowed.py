"""Settling what a look says of windows, once it is known which one is declared."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cxr.data.decoding.deep_picture import DEEP_MODES
from cxr.data.decoding.window import Window
from cxr.data.inspection.look import Look

_GREY: Final = ("L", *DEEP_MODES)
_DEEP: Final = ("16-bit", "32-bit")
_OWN: Final = ("own-window", "unsupported-window")


def settle_windows(look: Look, window: Window | None) -> Look:
    """Leave out what the declared window takes care of.

    Colours have no window: those of more than 8 bits stay an error. Without a declared one, deep
    pixels are an error and the file's own window a note. With ``range`` or ``percentile`` none of
    it matters. With ``file``, deep pixels are an error only where the file names no window: then
    ``own-window`` is not among the findings.

    Args:
        look: What was seen of an image; a function of its bytes alone.
        window: What the config declares.
    """
    if window is None:
        left_out: tuple[str, ...] = ("unsupported-window",)
    elif window.kind != "file":
        left_out = (*_DEEP, *_OWN) if look.mode in _GREY else ()
    elif any(kind == "own-window" for kind, _ in look.findings):
        left_out = (*_DEEP, "own-window")
    else:
        left_out = ()
    kept = tuple(finding for finding in look.findings if finding[0] not in left_out)
    return replace(look, findings=kept)
