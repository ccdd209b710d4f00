"""The paths of a table: below the root, however they are spelt."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePosixPath

from cxr.data.sources.csv_rows import UnfitRowError
from cxr.plain_text import is_plain_text


def find_path(text: str, root: Path, *, suffix: str | None) -> str:
    """Return a path below the root, as records call it.

    Args:
        text: What a row says: relative to the root, or absolute and below it.
        root: The directory of the images.
        suffix: What is put behind each path.

    Raises:
        UnfitRowError: It is no path below the root.
    """
    if not text.strip():
        raise UnfitRowError("it names no file")
    text += suffix or ""
    if not is_plain_text(text):
        raise UnfitRowError(f"{text!r} holds control characters")
    path = PurePosixPath(text)
    if ".." in path.parts:
        raise UnfitRowError(f"{text!r} holds '..'")
    return (_find_below(path, root) if path.is_absolute() else path).as_posix()


def require_file(path: str, root: Path) -> Path:
    """Return the file that a row names.

    Args:
        path: As `find_path` returns it.
        root: The directory of the images.

    Raises:
        UnfitRowError: There is none.
    """
    file = root / path
    # Not Path.exists: a name that is too long does not exist either.
    if os.path.exists(file):  # noqa: PTH110
        return file
    raise UnfitRowError(f"no such file: {path!r}{_find_other_spelling(path, root)}")


def _find_below(path: PurePosixPath, root: Path) -> PurePosixPath:
    """Return an absolute path relative to the root."""
    # A path may begin with two slashes, which stand for one.
    plain = Path(f"/{path.relative_to(path.anchor)}")
    lexical = Path(os.path.abspath(root))  # noqa: PTH100 - links are followed below
    for base, place in (
        (lexical, plain),
        (Path(os.path.realpath(root)), Path(os.path.realpath(plain.parent), plain.name)),
    ):
        if place != base and place.is_relative_to(base):
            return PurePosixPath(place.relative_to(base))
    raise UnfitRowError(f"{str(path)!r} is not below data.root ({lexical})")


def _find_other_spelling(path: str, root: Path) -> str:
    """Say which file there is, where a path differs from it in what one hardly sees."""
    for text, difference in (
        (unicodedata.normalize("NFC", path), "in Unicode form alone"),
        (unicodedata.normalize("NFD", path), "in Unicode form alone"),
        (path.strip(), "in spaces alone"),
        (path.replace("\\", "/"), "in its slashes alone"),
    ):
        if text != path and os.path.exists(root / text):  # noqa: PTH110 - as above
            return f", but {text!r}, which differs {difference}"
    return ""
