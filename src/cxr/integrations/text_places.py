"""Places on a machine that a text names: paths from a root or a home, alone or inside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_ROOTED: Final = re.compile(
    # Not in the middle of a relative path, a fraction or a glob, nor in an address of the web.
    r"(?:(?<![\w.:/*?)\]}~\\$-])/+(?=[^\s/])"
    # Behind a colon, or as the path of an address without a host; `file:` may have one.
    r"|(?<=:)/(?=[^\s/])|(?<=file:)/+(?=[^\s/])|(?<=://)/+(?=[^\s/])"
    # Behind the letter of an option: -I/opt.
    r"|(?<=^-[A-Za-z])/(?=[^\s/])"
    r"|(?<![\w./~])~[\w.-]*/|(?<!\w)[A-Za-z]:\\|(?<![\w\\])\\\\(?=\w))"
)

_UPWARD: Final = re.compile(r"(?:(?<![\w./-])|(?<=^-[A-Za-z]))(?:\./+)*\.\./")

_PATH_STARTS: Final = re.compile(f"{_ROOTED.pattern}|{_UPWARD.pattern}")

_TO_WORD_END: Final = re.compile(r"(?:\\.|[^\s,;:'\"`)\]|&<>])*")


def names_a_place(text: str) -> bool:
    """Say whether a text holds a path from a root or a home; an address of the web is none."""
    return _ROOTED.search(text) is not None


def replace_places(text: str, replace: Callable[[str], str]) -> str:
    """Return a text with each path in it replaced that has a root or leads upward.

    A path in quotes ends with them. Of another, white space is a part only if none stands before
    it: then the text is no script, and the space may stand in somebody's name.

    Args:
        text: A word of a command: an option's value, or a whole script.
        replace: Gives what stands for a path.
    """
    done, at = [], 0
    while found := _PATH_STARTS.search(text, at):
        start = found.start()
        end = _find_end(text, start)
        done += [text[at:start], replace(text[start:end])]
        at = end
    return "".join([*done, text[at:]])


def _find_end(text: str, start: int) -> int:
    quote = text[start - 1] if start else ""
    if quote in ("'", '"', "`"):
        closed = text.find(quote, start)
        return closed if closed > start else len(text)
    if not re.search(r"\s", text[:start]):
        return len(text)
    found = _TO_WORD_END.match(text, start)
    return max(found.end(), start + 1) if found is not None else len(text)
