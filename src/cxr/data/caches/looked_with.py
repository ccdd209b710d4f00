"""What pixels and looks depend on besides the file: the decoders, and the code around them."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path
from typing import Final

import cxr
from cxr.digests.canonical import digest_json
from cxr.digests.files import digest_tree
from cxr.environment.canaries import read_canaries

FORMAT: Final = "cxr.look/1"

_LOOKS: Final = "data/inspection"
_DECODES: Final = "data/decoding"
_LIBRARIES: Final = (
    "pil",
    "libjpeg_turbo",
    "jpg",
    "jpg_2000",
    "libtiff",
    "webp",
    "zlib",
    "zlib_ng",
)
_DISTRIBUTION: Final = ".dist-info"
_DECODERS: Final = ("simplejpeg", "pydicom", "pylibjpeg", "pyjpegls", "imagecodecs")


@functools.cache
def digest_inspection() -> str:
    """Return the digest of all that inspects a file here, for this process.

    It is taken of all that decodes, and of the sources that inspect. So nothing that another
    decoder saw is ever taken for seen.
    """
    return digest_json({"format": FORMAT, "decoding": digest_decoding(), "code": _digest(_LOOKS)})


def digest_decoding() -> str:
    """Return the digest of all that makes pixels of a file here.

    It is taken of the decoders' versions, of what they make of the canaries, and of the sources
    that decode. Decoders of DICOM are always among them: a file may be DICOM whatever its name.
    """
    return digest_json(
        {
            "code": _digest(_DECODES),
            "libraries": _find_libraries(),
            "canaries": read_canaries(),
            "packages": _find_distributions(),
        }
    )


def find_decoder_versions() -> dict[str, str]:
    """Return the version of each library and package that decodes here, by its name."""
    libraries = {name: found for name, found in _find_libraries().items() if found is not None}
    named = [name.removesuffix(_DISTRIBUTION).partition("-") for name in _find_distributions()]
    return {**libraries, **{name: version for name, _, version in named}}


def _find_libraries() -> dict[str, str | None]:
    """Return the version of each library that Pillow decodes with."""
    from PIL import features

    return {name: features.version(name) for name in _LIBRARIES}


def _digest(folder: str) -> str:
    """Return the digest of the sources below a folder of this package."""
    package = Path(cxr.__file__).resolve().parent
    return digest_tree(package, (package / folder).rglob("*.py"))


def _find_distributions() -> list[str]:
    """Return name and version of each installed package that decodes besides Pillow.

    From the names of their directories: asking for metadata would import a good deal.
    """
    found: set[str] = set()
    for place in sys.path:
        with contextlib.suppress(OSError), os.scandir(place or ".") as entries:
            names = [entry.name.lower() for entry in entries]
            installed = [name for name in names if name.endswith(_DISTRIBUTION)]
            found.update(name for name in installed if name.startswith(_DECODERS))
    return sorted(found)
