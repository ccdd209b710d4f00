"""Asking git about cxr's own checkout, whatever repository a shell or a hook has in mind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 5.0

_KEPT: Final = ("GIT_CEILING_DIRECTORIES", "GIT_CONFIG_", "GIT_EXEC_PATH")
"""Beginnings of git's variables that name no other repository, index or objects.

Without a ceiling, or without what a configuration says of owners, git may know less, never else.
Source: git's manual, "Environment Variables".
"""

_AS_IT_LIES: Final = (
    # What would let git look at fewer files than there are, or run a program of the repository.
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.ignoreStat=false"),
    *("-c", "core.sparseCheckout=false"),
)


def derive_git_variables(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's variables without those that lead git elsewhere.

    A hook of another repository sets ``GIT_DIR``, ``GIT_INDEX_FILE`` and more.

    Args:
        variables: Variables to set besides.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT)
    }
    # An object that `git replace` stands in for another is not what a commit's name promises.
    return {**kept, "GIT_NO_REPLACE_OBJECTS": "1", **(variables or {})}


def ask_git(
    *arguments: str,
    directory: Path,
    variables: Mapping[str, str] | None = None,
    strip: bool = True,
    timeout_s: float = _TIMEOUT_S,
) -> str | None:
    """Return what git says, or None where there is no git, no repository or no answer.

    Args:
        arguments: What stands behind ``git``.
        directory: Where it is asked.
        variables: Environment variables besides this process's own.
        strip: Whether white space around the answer is dropped.
        timeout_s: How long an answer is waited for, in seconds.
    """
    try:
        answer = subprocess.run(  # noqa: S603 - fixed program and arguments
            ["git", "-C", str(directory), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env=derive_git_variables(variables),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    # Bytes that are no UTF-8 stay what they are, so that a patch applies again.
    text = answer.stdout.decode("utf-8", "surrogateescape")
    return text.strip() if strip else text


class WorkingTree:
    """The files of a directory as they lie there, in an index that is nobody's.

    The user's index and repository are left as they are, and are not believed either: an index may
    say of a file that it need not be looked at. `opened_tree` makes one.

    Attributes:
        directory: The directory.
        variables: With which git uses the private index.
    """

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        self.directory = directory
        self.variables = variables

    def add(self, *arguments: str) -> bool:
        """Take files as they lie there into the index; say whether git did."""
        return self.ask(*_AS_IT_LIES, "add", "--all", *arguments) is not None

    def ask(self, *arguments: str, strip: bool = True) -> str | None:
        """Return what git says with that index."""
        return ask_git(*arguments, directory=self.directory, variables=self.variables, strip=strip)


@contextlib.contextmanager
def opened_tree(directory: Path) -> Iterator[WorkingTree | None]:
    """Give an index that holds the commit, and a place of its own for objects; None without git.

    Args:
        directory: A directory of a repository that has a commit.
    """
    objects = ask_git(
        "rev-parse", "--path-format=absolute", "--git-path", "objects", directory=directory
    )
    if objects is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as place:
        own = {
            "GIT_INDEX_FILE": str(Path(place) / "index"),
            "GIT_OBJECT_DIRECTORY": str(Path(place) / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }
        # The object directory must exist, or git takes the place for no repository.
        (Path(place) / "objects").mkdir()
        tree = WorkingTree(directory, own)
        yield tree if tree.ask(*_AS_IT_LIES, "read-tree", "HEAD") is not None else None
