"""Plain words: text from outside without what a terminal or a log would obey, lists, numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

_NO_TEXT: Final = ("Cc", "Cs")  # control characters, and bytes that are not UTF-8


def show_plainly(text: str) -> str:
    """Return text from outside with its control characters, line ends among them, escaped."""
    return "".join(
        ascii(letter)[1:-1] if unicodedata.category(letter).startswith("C") else letter
        for letter in text
    )


def is_plain_text(text: str) -> bool:
    """Say whether a text has no control characters, and can be written as UTF-8."""
    if text.isascii() and text.isprintable():
        return True  # most names: asked of each file of a set
    return not any(unicodedata.category(letter) in _NO_TEXT for letter in text)


def count(number: int, what: str) -> str:
    """Return a number of things in words, such as ``1 finding`` or ``2,000 findings``.

    Args:
        number: How many there are.
        what: Of what, in the singular.
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def list_first(lines: Sequence[str], most: int) -> list[str]:
    """Return the first few of many lines, and in one more how many were left out."""
    left_out = len(lines) - most
    return [*lines[:most], f"and {left_out:,} more"] if left_out > 0 else list(lines)
