"""The code of somebody else's program: its git commit, and the patch of what is uncommitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

from cxr.digests.canonical import digest_bytes, digest_json
from cxr.environment.git import ask_git, opened_tree
from cxr.environment.kept import Kept, keep_unless_private
from cxr.environment.patch import MAX_PATCH_BYTES, read_index_patch

_NEW_SOURCES: Final = (":(top,glob)**/*.py", ":(top,glob)**/*.sh")
"""Files that count although git does not track them, unless it ignores them."""

_EXCLUDE: Final = ":(exclude,glob)"
"""Source: git's manual, glossary, "pathspec"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The repository that a directory belongs to.

    Attributes:
        facts: ``commit``, ``dirty`` and ``digest``, each None where git does not tell. The digest
            is of the commit and of the patch, also where the patch is not kept.
        patch: What turns the commit into the files as they are.
    """

    facts: dict[str, Any]
    patch: Kept


def capture_checkout(directory: Path, *, besides: Sequence[str] = ()) -> Checkout:
    """Read the commit of a directory's repository, and what is uncommitted there.

    Changes of every tracked file count, and of files that git does not know yet those that are
    Python or shell sources. The repository and its index are left as they are.

    Args:
        directory: In the repository.
        besides: Globs, relative to the directory, of files whose changes do not count; one that
            matches a directory stands for all of its files.
    """
    commit = ask_git("rev-parse", "HEAD", directory=directory)
    if commit is None:
        return Checkout(facts={"commit": None, "dirty": None, "digest": None}, patch=Kept())
    text = _read_patch(directory, besides)
    if text is None:
        unknown = {"commit": commit, "dirty": None, "digest": None}
        return Checkout(facts=unknown, patch=Kept(withheld="git does not tell what is uncommitted"))
    content = text.encode("utf-8", "surrogateescape")
    facts: dict[str, Any] = {
        "commit": commit,
        "dirty": bool(content),
        "digest": digest_json([commit, digest_bytes(content)]),
    }
    kept = keep_unless_private(content, max_bytes=MAX_PATCH_BYTES) if content else Kept()
    return Checkout(facts=facts, patch=kept)


def _read_patch(directory: Path, besides: Sequence[str]) -> str | None:
    """Return what git says of the files against the commit, or None."""
    try:
        with opened_tree(directory) as tree:
            if tree is None or tree.ask("add", "--update", ":(top)") is None:
                return None
            for pattern in _NEW_SOURCES:
                new = tree.ask("ls-files", "--others", "--exclude-standard", "--", pattern)
                # Git takes it for an error if there is nothing to add.
                if new is None or (new and not tree.add("--", pattern)):
                    return None
            left_out = [_EXCLUDE + PurePath(glob).as_posix() for glob in besides]
            left_out += [f"{pattern}/**" for pattern in left_out]
            return read_index_patch(tree, "--", ":(top)", *left_out)
    except OSError:
        # There is no place for an index.
        return None
