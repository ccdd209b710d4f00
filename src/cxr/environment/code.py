"""What code ran: cxr's own sources, and the commit they come from where that is known."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import cxr
from cxr.digests.files import digest_tree
from cxr.environment.private_text import find_private_line

PACKAGE: Final = Path(cxr.__file__).resolve().parent

_GIT_TIMEOUT_S: Final = 5.0


@functools.cache
def digest_code() -> str:
    """Return the digest of cxr's own sources."""
    return digest_tree(PACKAGE, PACKAGE.rglob("*.py"))


def capture_code() -> dict[str, Any]:
    """Return the sources' digest, and commit, branch and cleanliness where git knows them.

    A branch is None as well where none is checked out, as in most CI jobs, and where its name has
    the user's or the machine's in it.
    """
    facts: dict[str, Any] = {"version": cxr.__version__, "digest": digest_code()}
    commit = ask_git("rev-parse", "HEAD")
    # A site-packages inside somebody's checkout is not that checkout's code.
    tracked = commit and ask_git("ls-files", "--", "__init__.py")
    facts["commit"] = commit if tracked else None
    branch = ask_git("branch", "--show-current") if tracked else None
    facts["branch"] = branch if branch and find_private_line(branch) is None else None
    facts["dirty"] = bool(ask_git("status", "--porcelain", "--", ".")) if tracked else None
    return facts


def ask_git(
    *arguments: str,
    directory: Path | None = None,
    variables: Mapping[str, str] | None = None,
    strip: bool = True,
) -> str | None:
    """Return what git says, or None where there is no git, no repository or no answer.

    Args:
        arguments: What stands behind ``git``.
        directory: Where it is asked; by default the package's directory.
        variables: Environment variables besides this process's own.
        strip: Whether white space around the answer is dropped.
    """
    try:
        answer = subprocess.run(  # noqa: S603 - fixed program and arguments
            ["git", "-C", str(directory or PACKAGE), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
            env={**os.environ, **(variables or {})},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    # Bytes that are no UTF-8 stay what they are, so that a patch applies again.
    text = answer.stdout.decode("utf-8", "surrogateescape")
    return text.strip() if strip else text
