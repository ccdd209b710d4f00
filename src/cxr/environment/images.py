"""How images are decoded here."""

from __future__ import annotations

from typing import Any

from cxr.environment.canaries import find_changed_canaries, read_canaries


def capture_images() -> dict[str, Any]:
    """Return the decoders' versions and the digests of decoded canaries."""
    from PIL import features

    canaries = read_canaries()
    names = ("pil", "libjpeg_turbo", "jpg", "zlib", "zlib_ng")
    return {
        "decoders": {name: features.version(name) for name in names},
        "canaries": canaries,
        "canaries_changed": find_changed_canaries(canaries),
    }
