"""Telling how far long work is, without knowing the screen that shows it."""

from __future__ import annotations

from typing import Final, Protocol


class Progress(Protocol):
    """Whoever wants to know."""

    def advance(self, what: str, done: int, total: int) -> None:
        """Hear that ``done`` of ``total`` parts of ``what`` are done; ``total`` ends it."""

    def note(self, text: str) -> None:
        """Hear one line that is worth keeping."""


class _Silence:
    """Nobody."""

    def advance(self, what: str, done: int, total: int) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


SILENCE: Final[Progress] = _Silence()
