"""What code ran: cxr's own sources, and the commit they come from where that is known."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import cxr
from cxr.digests.files import digest_tree
from cxr.environment.git import ask_git, opened_tree
from cxr.environment.private_text import find_private_line

PACKAGE: Final = Path(cxr.__file__).resolve().parent

SOURCES: Final = ":(glob)**/*.py"
"""Whatever can be imported, as git names paths."""


@functools.cache
def digest_code() -> str:
    """Return the digest of cxr's own sources."""
    return digest_tree(PACKAGE, PACKAGE.rglob("*.py"))


def capture_code() -> dict[str, Any]:
    """Return the sources' digest, and commit, branch and cleanliness where git knows them.

    A branch is None as well where none is checked out, as in most CI jobs, and where its name has
    the user's or the machine's in it. Whether it was clean is None where git does not answer.
    """
    facts: dict[str, Any] = {"version": cxr.__version__, "digest": digest_code()}
    commit = ask_git("rev-parse", "HEAD", directory=PACKAGE)
    # A site-packages inside somebody's checkout is not that checkout's code.
    tracked = commit and ask_git("ls-files", "--", "__init__.py", directory=PACKAGE)
    facts["commit"] = commit if tracked else None
    branch = ask_git("branch", "--show-current", directory=PACKAGE) if tracked else None
    facts["branch"] = branch if branch and find_private_line(branch) is None else None
    facts["dirty"] = _find_changes() if tracked else None
    return facts


def _find_changes() -> bool | None:
    """Say whether the package is other than in the commit; None where git does not tell.

    Every source counts, one that git ignores too: it can be imported. Of other files those count
    that git does not ignore.
    """
    try:
        with opened_tree(PACKAGE) as tree:
            if tree is None or not tree.add("--", ".") or not tree.add("--force", "--", SOURCES):
                return None
            changed = tree.ask(
                "diff", "--cached", "--name-only", "--no-ext-diff", "HEAD", "--", "."
            )
    except OSError:
        # There is no place for an index.
        return None
    return None if changed is None else bool(changed)
