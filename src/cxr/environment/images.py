"""How images are decoded here."""

from __future__ import annotations

import importlib
from typing import Any, Final

from cxr.environment.canaries import find_changed_canaries, read_canaries
from cxr.environment.resizing import read_resizing
from cxr.errors import IMPORT_FAULTS

_FACTS: Final = ("decoders", "canaries", "canaries_changed", "resizing")


def capture_images() -> dict[str, Any]:
    """Return the decoders' versions and digests of what they make of canaries and uneven pictures.

    All are None where Pillow cannot be imported: then no image can be decoded here.
    """
    if find_decoder_fault() is not None:
        return dict.fromkeys(_FACTS)
    from PIL import features

    canaries = read_canaries()
    names = ("pil", "libjpeg_turbo", "jpg", "zlib", "zlib_ng")
    return {
        "decoders": {name: features.version(name) for name in names},
        "canaries": canaries,
        "canaries_changed": find_changed_canaries(canaries),
        "resizing": read_resizing(),
    }


def find_decoder_fault() -> str | None:
    """Return in one line why Pillow cannot be imported, None where it can."""
    try:
        importlib.import_module("PIL.Image")
        importlib.import_module("PIL.features")
    except IMPORT_FAULTS as error:
        return f"cannot be imported: {' '.join(str(error).split())}"
    return None
