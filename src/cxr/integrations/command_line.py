"""A command line as a record may name it: no secret, and no place on this machine."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final

from cxr.determinism.variables import NOT_RECORDED
from cxr.digests.files import digest_file
from cxr.environment.private_text import find_private_line, names_a_secret
from cxr.errors import UsageError
from cxr.integrations.text_places import replace_places
from cxr.records.command_record import CommandLine

ELSEWHERE: Final = "elsewhere"
"""In place of the directories of a path outside the working directory."""

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def describe_command(arguments: Sequence[str], directory: Path) -> CommandLine:
    """Return the words of a command, and the program that the first of them stands for.

    A word is not recorded that looks like a secret or names a person or this machine; nor is the
    value of an option, or of a variable, that is called like one that holds a secret, unless it is
    a number. A path inside the working directory stands as it is named from there; of another
    path only a file's name stands.

    Args:
        arguments: The command, the program first.
        directory: The working directory.

    Raises:
        UsageError: There is no such program.
    """
    program = shutil.which(arguments[0])
    if program is None:
        raise UsageError(
            "there is no such program, or it may not be run",
            where=_describe_word(arguments[0], directory),
            hint="check its name; no shell is involved: for one, run sh -c '...'",
        )
    try:
        digest = digest_file(Path(program).resolve())
    except OSError:
        # It may be run and not read.
        digest = None
    words, follows_secret = [], False
    for word in arguments:
        # A secret may begin with one dash; what begins with two is the next option.
        if follows_secret and not word.startswith("--"):
            words.append(_hide(word))
            follows_secret = False
            continue
        words.append(_describe_word(word, directory))
        follows_secret = word.startswith("-") and "=" not in word and names_a_secret(word)
    return CommandLine(arguments=words, program={"name": Path(program).name, "digest": digest})


def _describe_word(word: str, directory: Path) -> str:
    """Return one word; of ``name=value`` each side is looked at."""
    if find_private_line(word) is not None and not _lies_in(word, directory):
        return NOT_RECORDED
    name, sign, value = word.partition("=")
    if sign and names_a_secret(name):
        return f"{name}={_hide(value)}"
    if _is_place(word):
        return _describe_path(word, directory)
    if sign and _is_place(value):
        return f"{name}={_describe_path(value, directory)}"
    return replace_places(word, lambda path: _describe_path(path, directory))


def _hide(value: str) -> str:
    return value if _NUMBER.fullmatch(value) else NOT_RECORDED


def _is_place(text: str) -> bool:
    """Say whether a text as a whole is a path that does not begin in the working directory."""
    if PurePath(text).is_absolute() or text.startswith("~"):
        return True
    return "://" not in text and PurePath(os.path.normpath(text)).parts[:1] == ("..",)


def _lies_in(text: str, directory: Path) -> bool:
    """Say whether a text is a path in the working directory, in which nothing else is private."""
    if not _is_place(text) or text.startswith("~"):
        return False
    below = _name_from(text, directory)
    return PurePath(below).parts[:1] != ("..",) and find_private_line(below) is None


def _describe_path(text: str, directory: Path) -> str:
    """Return a path as it may stand in a record."""
    if _lies_in(text, directory):
        return PurePath(_name_from(text, directory)).as_posix()
    name = PurePath(text.replace("\\", "/")).name
    return f"{ELSEWHERE}/{name}" if PurePath(name).suffix else ELSEWHERE


def _name_from(text: str, directory: Path) -> str:
    return os.path.relpath(directory / text, directory)
