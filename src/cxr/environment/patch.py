"""The patch of what is uncommitted in cxr's own sources, where it can be kept without harm."""

from __future__ import annotations

from typing import Any, Final

from cxr.environment import code as code_of_cxr
from cxr.environment.code import SOURCES
from cxr.environment.git import WorkingTree, opened_tree
from cxr.environment.kept import Kept, keep_unless_private

MAX_PATCH_BYTES: Final = 1_000_000
"""A patch that is larger is not kept."""


def capture_patch(code: dict[str, Any]) -> Kept:
    """Return the patch of every uncommitted source file, those that git does not track included.

    The user's index and repository are left as they are: a second index, and a place of its own for
    objects, are used and removed again.

    Args:
        code: What `capture_code` returned.
    """
    if not code["dirty"]:
        unknown = code["commit"] is not None and code["dirty"] is None
        return Kept(withheld="git does not tell what is uncommitted" if unknown else None)
    text = _read_patch()
    if text is None:
        return Kept(withheld="git could not make it")
    if not text:
        return Kept(withheld="what is uncommitted is not in the sources")
    content = text.encode("utf-8", "surrogateescape")
    return keep_unless_private(content, max_bytes=MAX_PATCH_BYTES)


def _read_patch() -> str | None:
    """Return what git says of the sources against the commit, or None."""
    with opened_tree(code_of_cxr.PACKAGE) as tree:
        # Ignored ones too: whatever is imported from there is part of the code's digest.
        if tree is None or not tree.add("--force", "--", SOURCES):
            return None
        return read_index_patch(tree, "--", SOURCES)


def read_index_patch(tree: WorkingTree, *paths: str) -> str | None:
    """Return as a patch, for ``git apply``, what an index has and the commit has not."""
    return tree.ask(
        *("-c", "core.quotePath=true", "-c", "diff.renames=false"),
        *("diff", "--cached", "--binary", "--full-index", "--no-color", "--no-ext-diff"),
        # As text, so that what is in it can be read before it is kept.
        *("--no-textconv", "--text", "--no-relative"),
        *("--src-prefix=a/", "--dst-prefix=b/", "HEAD", *paths),
        strip=False,
    )
