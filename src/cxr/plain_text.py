"""Text from outside, without what a terminal or a log would obey."""

from __future__ import annotations

import unicodedata


def show_plainly(text: str) -> str:
    """Return text from outside with its control characters, line ends among them, escaped."""
    return "".join(
        ascii(letter)[1:-1] if unicodedata.category(letter).startswith("C") else letter
        for letter in text
    )
