"""What code ran: cxr's own sources, and the commit they come from where that is known."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import cxr
from cxr.digests.files import digest_tree

PACKAGE: Final = Path(cxr.__file__).resolve().parent

_GIT_TIMEOUT_S: Final = 5.0


@functools.cache
def digest_code() -> str:
    """Return the digest of cxr's own sources."""
    return digest_tree(PACKAGE, PACKAGE.rglob("*.py"))


def capture_code() -> dict[str, Any]:
    """Return the sources' digest, and commit, branch and cleanliness where git knows them.

    A branch is None as well where none is checked out, as in most CI jobs, and where its name has
    the user's in it.
    """
    facts: dict[str, Any] = {"version": cxr.__version__, "digest": digest_code()}
    commit = _ask_git("rev-parse", "HEAD")
    # A site-packages inside somebody's checkout is not that checkout's code.
    tracked = commit and _ask_git("ls-files", "--", "__init__.py")
    facts["commit"] = commit if tracked else None
    branch = _ask_git("branch", "--show-current") if tracked else None
    facts["branch"] = None if not branch or _names_user(branch) else branch
    facts["dirty"] = bool(_ask_git("status", "--porcelain", "--", ".")) if tracked else None
    return facts


def _names_user(branch: str) -> bool:
    """Say whether the name of whoever runs this stands in a branch's name, as in ``name/topic``."""
    users = {os.environ.get(name, "") for name in ("LOGNAME", "USER", "USERNAME")}
    return any(user and user.lower() in branch.lower() for user in users)


def _ask_git(*arguments: str) -> str | None:
    """Return what git says of the package's directory, or None."""
    try:
        answer = subprocess.run(  # noqa: S603 - fixed program and arguments
            ["git", "-C", str(PACKAGE), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
