"""Which stream a draw takes: every random tensor has a name of its own, and none a state.

A draw is one tensor that an op fills with random numbers. Whoever computes says what it computes,
with `drawing`; the draws in the block are then numbered, and the stream of each has the block's
name and that number. So what was drawn before does not matter to a draw, nor what another machine,
shard or step draws.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.streams import Key, derive_key


class Draws(Protocol):
    """Something that names the draws of a block, one after the other."""

    def take_key(self, drawn: torch.Tensor) -> Key | None:
        """Return the key of the next draw's stream; None where nothing is to be drawn.

        Args:
            drawn: The tensor that is about to be filled.
        """
        ...


@dataclass(slots=True)
class NumberedDraws:
    """Draws whose streams are named ``(root, purpose, *indices, number of the draw)``."""

    root: int
    purpose: str
    indices: tuple[int | str, ...]
    number: int = field(default=0)

    def take_key(self, drawn: torch.Tensor) -> Key:
        """Return the key of the next draw's stream."""
        del drawn
        key = derive_key(self.root, self.purpose, *self.indices, self.number)
        self.number += 1
        return key


_CURRENT: ContextVar[Draws | None] = ContextVar("draws", default=None)


@contextlib.contextmanager
def drawing(root: int, purpose: str, *indices: int | str) -> Iterator[None]:
    """Draw in the block from the streams ``(root, purpose, *indices, 0)``, ``(…, 1)`` and so on.

    Args:
        root: The 64-bit root seed.
        purpose: One of `cxr.determinism.streams.PURPOSES`.
        indices: What tells this block from others of its purpose.
    """
    with drawing_from(NumberedDraws(root, purpose, indices)):
        yield


@contextlib.contextmanager
def drawing_from(draws: Draws) -> Iterator[None]:
    """Let ``draws`` name the draws of the block."""
    token = _CURRENT.set(draws)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def take_key(drawn: torch.Tensor) -> Key | None:
    """Return the key of the next draw's stream; None where nothing is to be drawn.

    Raises:
        UnsupportedError: Nobody said what is being computed.
    """
    draws = _CURRENT.get()
    if draws is None:
        raise UnsupportedError("random numbers are drawn where no stream has been named for them")
    return draws.take_key(drawn)
