"""What a distribution's ``RECORD`` says was installed, and where those files are.

Source: the binary distribution format (PEP 427) and the recording of installed projects (PEP 376,
PEP 627): a line holds a path, ``algorithm=`` with the digest in base64, and the size in bytes.
"""

from __future__ import annotations

import base64
import csv
import os
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import Final

from cxr.digests.canonical import digest_bytes

_ALGORITHMS: Final = ("sha256", "sha384", "sha512")
"""What a list may use; PEP 427 refuses weaker ones."""

_WITHOUT_DIGEST: Final = (".pyc", ".dist-info/RECORD", ".dist-info/RECORD.jws", "RECORD.p7s")
"""Files that no line can hold a digest of: those made later, and the list itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFile:
    """One file as it was installed.

    Attributes:
        name: How it is shown: relative to the directory of the packages.
        place: Where it is.
        algorithm: Of its digest, as `hashlib` names it; None where the list has no digest of it.
        digest: In hexadecimal; empty without an algorithm.
        size_bytes: None where the list does not say.
    """

    name: str
    place: str
    algorithm: str | None
    digest: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a ``RECORD`` lists.

    Attributes:
        digest: Of the list itself.
        base: The directory that its paths are relative to.
        files: Those that can be checked.
        num_outside: Files that it names outside of this environment; those are not looked at.
    """

    digest: str
    base: str
    files: tuple[RecordedFile, ...]
    num_outside: int


def read_listing(distribution: Distribution) -> Listing | str:
    """Return what a distribution lists, or, as a problem, why that cannot be told."""
    try:
        text = distribution.read_text("RECORD")
    except (OSError, ValueError):
        return "has a RECORD that cannot be read"
    if text is None:
        return "has no RECORD: its files cannot be checked"
    base = os.path.abspath(str(distribution.locate_file("")))  # noqa: PTH100 - links stay
    try:
        rows = [row for row in csv.reader(text.splitlines(), strict=True) if row]
        files = [_read_row(base, row) for row in rows]
    except (csv.Error, ValueError, IndexError):
        return "has a RECORD that is damaged"
    roots = _find_roots(base)
    inside = [file for file in files if any(_is_below(file.place, root) for root in roots)]
    return Listing(
        digest=digest_bytes(text.encode("utf-8", errors="surrogatepass")),
        base=base,
        files=tuple(file for file in inside if not _has_no_digest(file)),
        num_outside=len(files) - len(inside),
    )


def _read_row(base: str, row: list[str]) -> RecordedFile:
    """Return the file that a line is about.

    Raises:
        ValueError: The line does not follow the format.
    """
    path, kind, size = row[0], row[1], row[2]
    if not path or "\0" in path:
        raise ValueError("a line without a path")
    place = os.path.normpath(Path(base, path))
    algorithm, _, encoded = kind.partition("=")
    if algorithm and algorithm not in _ALGORITHMS:
        raise ValueError("a digest of an unknown kind")
    raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    return RecordedFile(
        # An absolute path would tell of this machine.
        name=os.path.relpath(place, base) if Path(path).is_absolute() else path,
        place=place,
        algorithm=algorithm or None,
        digest=raw.hex(),
        size_bytes=int(size) if size else None,
    )


def _find_roots(base: str) -> tuple[str, ...]:
    """Return the directories below which a distribution at ``base`` may have files."""
    if _is_below(base, sys.prefix):
        return (sys.prefix,)
    # It belongs to the interpreter that this environment was made from, or lies on PYTHONPATH.
    return (base, sys.base_prefix) if _is_below(base, sys.base_prefix) else (base,)


def _is_below(place: str, root: str) -> bool:
    """Say whether a path leads below a directory."""
    return Path(place).is_relative_to(root)


def _has_no_digest(file: RecordedFile) -> bool:
    """Say whether a file is one that lists have no digest of."""
    return file.algorithm is None and file.name.endswith(_WITHOUT_DIGEST)
