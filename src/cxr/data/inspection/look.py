"""What one image turned out to be: all that checks of a whole set, and a lock, need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OF_THIS_MACHINE: Final = frozenset({"no-decoder", "unreadable"})
"""Findings that say nothing of the file: what can be read, or is installed, may be another soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of one image; a pure function of its bytes and of the decoder.

    Attributes:
        num_bytes: Size in bytes.
        sha256: ``sha256:<hex>`` of the bytes; empty where they could not be read.
        pixels: ``sha256:<hex>`` of the decoded, upright pixels, as `digest_pixels` takes it;
            empty where they cannot be decoded.
        width: In px, upright; 0 where unknown.
        height: Likewise.
        mode: Pillow's name of the pixels' kind, such as ``L``; empty where unknown.
        likeness: A perceptual hash, equal or nearly so for pictures that look alike; None where
            there is none.
        findings: (kind, detail) of everything wrong with it by itself.
    """

    num_bytes: int
    sha256: str
    pixels: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    likeness: int | None = None
    findings: tuple[tuple[str, str], ...] = ()

    @property
    def is_of_the_file(self) -> bool:
        """Whether it would be the same at any time, as long as the decoders are."""
        return OF_THIS_MACHINE.isdisjoint(kind for kind, _ in self.findings)
