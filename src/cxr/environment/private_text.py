"""Finding lines that look like a secret, or that name a person or a machine."""

from __future__ import annotations

import contextlib
import functools
import getpass
import os
import re
import socket
from pathlib import Path
from typing import Final

_SECRETS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")),
    # Source: the token formats that their issuers document for secret scanners.
    (
        "a token",
        re.compile(
            r"\b(?:hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
            r"|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|sk-[\w-]{20,}|pypi-[\w-]{20,}"
            r"|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,})"
        ),
    ),
    ("a password in an address", re.compile(r"://[^\s/:@'\"]*:[^\s/@'\"]+@")),
    ("a secret", re.compile(r"(?i)\bBearer\s+[\w.~+/-]{8,}")),
    (
        "a secret",
        re.compile(
            r"(?i)(?:secret|token|passw(?:or)?d|\bpwd|passphrase|credential|authorization"
            r"|api_?key|access_?key)[\w.-]*[\"']?\]?\s*(?::\s*[\w.\[\]| ]+)?(?::=|=|:)"
            # The value: a text of three letters or more, in one of several.
            r"\s*[(\[{]?\s*[fbru]*(?:[\"']{3}|[\"'])[^\"'\s][^\"']{2,}"
        ),
    ),
    ("a home directory", re.compile(r"(?<![\w.])/(?:home|Users)/[A-Za-z][\w.-]*")),
)
"""What a line holds, and how such a line looks."""

_SECRET_WORDS: Final = frozenset(
    (
        *("auth", "authorization", "credential", "credentials", "key", "apikey", "passphrase"),
        *("passwd", "password", "pat", "pwd", "secret", "token"),
    )
)
"""Words in the name of an option or a field whose value is somebody's secret."""

_WORDS: Final = re.compile(r"[a-z0-9]+|[A-Z]+(?![a-z])|[A-Z][a-z0-9]+")

_SHORTEST_NAME: Final = 3
"""Names of fewer letters are found in any text."""

_USER_VARIABLES: Final = ("LOGNAME", "USER", "LNAME", "USERNAME")
"""Source: docs.python.org, getpass.getuser."""

_GENERIC_NAMES: Final = frozenset({"root", "user", "admin", "runner", "ubuntu", "localhost"})
"""Names of accounts and machines that tell nobody from another."""


def find_private_line(text: str) -> str | None:
    """Return what a text must not leave this machine for, with the line's number; None if nothing.

    The line itself is not repeated.
    """
    return _find_private_line(text, tuple(_list_names()))


def names_a_secret(name: str) -> bool:
    """Say whether a field or an option is called like one that holds a secret: ``--api-key``."""
    return any(word.lower() in _SECRET_WORDS for word in _WORDS.findall(name))


# A process that trains twenty runs, as the self-test does, keeps one lock twenty times.
@functools.lru_cache(maxsize=2)
def _find_private_line(text: str, names: tuple[re.Pattern[str], ...]) -> str | None:
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in _SECRETS:
            if pattern.search(line):
                return f"its line {number} looks like {what}"
        if any(name.search(line) for name in names):
            return f"its line {number} names a person, a home directory or this machine"
    return None


def _list_names() -> list[re.Pattern[str]]:
    """Return patterns of the home directory and of the names of user and machine."""
    found = []
    with contextlib.suppress(RuntimeError):
        home = Path.home()
        if home != Path(home.anchor):
            found.append(re.compile(re.escape(str(home)) + r"(?![\w.-])"))
    names = [socket.gethostname(), *(os.environ.get(name, "") for name in _USER_VARIABLES)]
    # Source: docs.python.org, getpass.getuser: what it raises where no name can be found.
    with contextlib.suppress(OSError, KeyError, ImportError):
        names.append(getpass.getuser())
    telling = [n for n in names if len(n) >= _SHORTEST_NAME and n.lower() not in _GENERIC_NAMES]
    return [*found, *(_find_word(name) for name in telling)]


def _find_word(name: str) -> re.Pattern[str]:
    """Return a pattern of a name that stands alone, however it is written."""
    return re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
