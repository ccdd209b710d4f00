"""Names that records may hold where the real ones may not: keyed digests of paths and patients.

Whoever has no key cannot tell which file a name stands for, nor try whether a patient's number is
among them. Whoever has it gets the same names on every machine.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from cxr.bounded_file import read_bounded
from cxr.data.decoding.decode import DecodePlan
from cxr.data.inspection.inspect_file import InspectFiles, inspect_files
from cxr.data.inspection.look import Look
from cxr.data.sources.source import IMAGE_SUFFIXES, FoundImage, Source, Stray
from cxr.errors import ConfigError, DataError
from cxr.progress import SILENCE, Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_KEY_BYTES: Final = 32
NUM_HEX: Final = 16
"""64 bits: of a million names, two are equal with a chance of 3 in 100 million; see `find`."""

_MAX_KEY_BYTES: Final = 4096
_MIN_DIFFERENT: Final = 8
_HINT: Final = "write one with: openssl rand -hex 32 > FILE; chmod 600 FILE"


class PseudonymousSource:
    """A source whose images have names that say nothing.

    `FoundImage.file` stays the real place, for errors on the screen; ``path`` and ``group`` are
    pseudonyms. Labels and splits stay what they are.
    """

    def __init__(self, inner: Source, key: bytes) -> None:
        self.root = inner.root
        self.classes = inner.classes
        self._inner = inner
        self._key = key
        self._real: dict[str, FoundImage] = {}

    def find(self) -> list[FoundImage]:
        """Find every sample, sorted by split and pseudonym: the order tells nothing either.

        Raises:
            DataError: As the source within, or two samples have one pseudonym.
        """
        named: dict[str, FoundImage] = {}
        for image in self._inner.find():
            path = derive_path_pseudonym(self._key, image.path)
            if path in named:
                raise DataError(
                    "two images have the same pseudonym",
                    where=f"{named[path].file} and {image.file}",
                    hint="rename one of them, or use another data.pseudonym_key",
                )
            named[path] = image
        self._real = named
        found = [
            replace(
                image, path=path, group=name_group(self._key, image.group, is_path=is_alone(image))
            )
            for path, image in named.items()
        ]
        return sorted(found, key=lambda image: (image.split, image.path))

    def find_strays(self) -> list[Stray]:
        """Find what is passed over; of its name and place nothing is told but a pseudonym."""
        return sorted(
            (derive_path_pseudonym(self._key, path), kind, "the file is told by its pseudonym")
            for path, kind, _ in self._inner.find_strays()
        )

    def find_real(self, image: FoundImage) -> FoundImage:
        """Return a sample as the source within found it."""
        return self._real[image.path]

    def read(self, image: FoundImage) -> bytes:
        """Return the bytes that stand for a sample."""
        return self._inner.read(self.find_real(image))

    def inspect(
        self, samples: Sequence[tuple[FoundImage, bytes]], by: InspectFiles = inspect_files
    ) -> list[Look]:
        """Say what samples are and what is wrong with them."""
        return self._inner.inspect([(self.find_real(image), of) for image, of in samples], by)

    def decode(self, image: FoundImage, content: bytes, plan: DecodePlan) -> NDArray[np.uint8]:
        """Return the pixels of a sample."""
        return self._inner.decode(self.find_real(image), content, plan)


def is_alone(image: FoundImage) -> bool:
    """Say whether a sample is a patient of its own, for want of a known one."""
    return image.group == image.path


def name_group(key: bytes, group: str, *, is_path: bool) -> str:
    """Return what records call a group.

    Args:
        key: The secret.
        group: The patient, or the path of a sample that is one of its own.
        is_path: Whether it is a path: then it is called as the sample is.
    """
    return derive_path_pseudonym(key, group) if is_path else derive_pseudonym(key, "group", group)


def derive_path_pseudonym(key: bytes, path: str) -> str:
    """Return the name of a path: its keyed digest and, where it is a known one, its suffix.

    Any other suffix may be part of a name or of a number.
    """
    suffix = PurePosixPath(path).suffix.lower()
    kept = suffix if suffix in IMAGE_SUFFIXES else ""
    return derive_pseudonym(key, "path", path) + kept


def is_pseudonym(path: str) -> bool:
    """Say whether a record's path has the form that `derive_path_pseudonym` gives."""
    return re.fullmatch(rf"[0-9a-f]{{{NUM_HEX}}}(\.[a-z0-9]+)?", path) is not None


def derive_pseudonym(key: bytes, what: str, name: str) -> str:
    """Return the first 16 hex digits of HMAC-SHA256 over ``<what>:<name>`` in UTF-8.

    Source: RFC 2104.

    Args:
        key: The secret.
        what: ``path`` or ``group``: a path and a patient of one name have two pseudonyms.
        name: What must not be told.
    """
    message = f"{what}:{name}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:NUM_HEX]


def load_pseudonym_key(path: Path, *, progress: Progress = SILENCE) -> bytes:
    """Read the secret; white space at the ends of the file is no part of it.

    Args:
        path: The file.
        progress: Told if every user of the machine can read it.

    Raises:
        ConfigError: It is too short, or no secret.
        DataError: It cannot be read.
    """
    try:
        key = read_bounded(path, max_bytes=_MAX_KEY_BYTES).strip()
        mode = path.stat().st_mode
    except OSError as error:
        raise DataError(
            f"cannot read the key of the pseudonyms: {error.strerror or error}",
            where=str(path),
            hint=f"correct data.pseudonym_key, or {_HINT}",
        ) from error
    if len(key) < MIN_KEY_BYTES or len(set(key)) < _MIN_DIFFERENT:
        short = f"has {len(key)} bytes, fewer than {MIN_KEY_BYTES}"
        said = short if len(key) < MIN_KEY_BYTES else "repeats a few bytes: it can be guessed"
        raise ConfigError(f"the key of the pseudonyms {said}", where=str(path), hint=_HINT)
    if os.name == "posix" and mode & stat.S_IROTH:
        progress.note("the key of the pseudonyms can be read by every user here: chmod 600 it")
    return key
