"""The three strengths of the promise, and which facts each of them depends on."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """How strong a run's promise is; every command says which one it gives."""

    WARN = "warn"
    """Seeds fixed, deterministic kernels where they exist; the others are named."""
    STRICT = "strict"
    """Same machine, same stack: the same bits."""
    PORTABLE = "portable"
    """The same bits on any machine that it is tested on."""


ALL_LEVELS: Final = (Level.WARN, Level.STRICT, Level.PORTABLE)
"""What affects bits however they are made: the recipe."""

NATIVE_LEVELS: Final = (Level.WARN, Level.STRICT)
"""What affects bits only while native kernels compute: threads, processor, libraries."""

PORTABLE_LEVELS: Final = (Level.PORTABLE,)
"""What affects bits only where the portable arithmetic computes: its version."""

NO_LEVELS: Final[tuple[Level, ...]] = ()
"""What never affects bits: names, places, workers."""

PROMISES: Final = {
    Level.WARN: "seeds fixed; ops without a deterministic kernel are named in the manifest",
    Level.STRICT: "the same bits on this machine with this stack",
    Level.PORTABLE: "the same bits on every machine it is tested on",
}
