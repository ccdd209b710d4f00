"""The patch of what is uncommitted in cxr's own sources, where it can be kept without harm."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Final

from cxr.environment.code import ask_git
from cxr.environment.kept import Kept, keep_unless_private

MAX_PATCH_BYTES: Final = 1_000_000
"""A patch that is larger is not kept."""

_SOURCES: Final = ":(glob)**/*.py"


def capture_patch(code: dict[str, Any]) -> Kept:
    """Return the patch of every uncommitted source file, those that git does not track included.

    The user's index and repository are left as they are: a second index, and a place of its own for
    objects, are used and removed again.

    Args:
        code: What `capture_code` returned.
    """
    if not code["dirty"]:
        return Kept()
    text = _read_patch()
    if text is None:
        return Kept(withheld="git could not make it")
    if not text:
        return Kept(withheld="what is uncommitted is not in the sources")
    content = text.encode("utf-8", "surrogateescape")
    return keep_unless_private(content, max_bytes=MAX_PATCH_BYTES)


def _read_patch() -> str | None:
    """Return what git says of the sources against the commit, or None."""
    objects = ask_git("rev-parse", "--path-format=absolute", "--git-path", "objects")
    if objects is None:
        return None
    with tempfile.TemporaryDirectory() as place:
        own = {
            "GIT_INDEX_FILE": str(Path(place) / "index"),
            "GIT_OBJECT_DIRECTORY": str(Path(place) / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(
                filter(None, [objects, os.environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES")])
            ),
        }
        # The object directory must exist, or git takes the place for no repository.
        (Path(place) / "objects").mkdir()
        if ask_git("read-tree", "HEAD", variables=own) is None:
            return None
        # Ignored ones too: whatever is imported from there is part of the code's digest.
        if ask_git("add", "--all", "--force", "--", _SOURCES, variables=own) is None:
            return None
        return ask_git(
            *("-c", "core.quotePath=true", "-c", "diff.renames=false"),
            *("diff", "--cached", "--binary", "--full-index", "--no-color", "--no-ext-diff"),
            *(
                "--no-textconv",
                "--text",
                "--no-relative",
                "--src-prefix=a/",
                "--dst-prefix=b/",
                "HEAD",
                "--",
                _SOURCES,
            ),
            variables=own,
            strip=False,
        )
