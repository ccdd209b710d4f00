"""How the labels of one image are written in one text, where it may have any number of them.

The names of those that it has are joined by ``|``, in label order. One of which nobody knows stands
there too, with ``?`` behind it. An image that has none is ``-``. So ``Edema|Fracture?`` has Edema,
may have Fracture, and has none of the other labels. An image of exactly one class is that class's
name, as it always was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BETWEEN: Final = "|"
UNKNOWN: Final = "?"
NONE: Final = "-"

Answers = tuple[bool | None, ...]
"""For each class in label order whether an image has it; None where nobody knows."""


def is_plain_name(name: str) -> bool:
    """Say whether a class's name can be told from what is written between and behind names."""
    return bool(name) and name != NONE and BETWEEN not in name and UNKNOWN not in name


def format_labels(classes: Sequence[str], answers: Answers) -> str:
    """Return the text of an image's labels.

    Args:
        classes: Class names in label order, each plain.
        answers: One for each class.
    """
    named = [
        name if answer else name + UNKNOWN
        for name, answer in zip(classes, answers, strict=True)
        if answer is not False
    ]
    return BETWEEN.join(named) or NONE


def parse_labels(classes: Sequence[str], text: str) -> Answers:
    """Return what a text says of each class; the opposite of `format_labels`.

    Args:
        classes: Class names in label order. A text that is one of them stands for it alone,
            whatever the name holds.
        text: The text.

    Raises:
        ValueError: It names what is no class, or is not as `format_labels` writes it.
    """
    if text in classes:
        return tuple(name == text for name in classes)
    said: dict[str, bool | None] = {}
    for part in [] if text == NONE else text.split(BETWEEN):
        said[part.removesuffix(UNKNOWN)] = None if part.endswith(UNKNOWN) else True
    answers = tuple(said.get(name, False) for name in classes)
    if format_labels(classes, answers) != text:
        raise ValueError(f"{text!r} is no text of labels of {', '.join(classes)}")
    return answers
