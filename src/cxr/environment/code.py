"""What code ran: cxr's own sources, and the commit they come from where that is known."""

from __future__ import annotations

import functools
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
    """Return the sources' digest, and commit and cleanliness where git knows them."""
    facts: dict[str, Any] = {"version": cxr.__version__, "digest": digest_code()}
    commit = _ask_git("rev-parse", "HEAD")
    # A site-packages inside somebody's checkout is not that checkout's code.
    tracked = commit and _ask_git("ls-files", "--", "__init__.py")
    facts["commit"] = commit if tracked else None
    facts["dirty"] = bool(_ask_git("status", "--porcelain", "--", ".")) if tracked else None
    return facts


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
