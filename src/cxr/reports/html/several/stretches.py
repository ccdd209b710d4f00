"""Which runs did the same at which steps: their ledgers, cut into stretches of equal lines.

A line of a ledger holds the digest of all lines before it, so two runs with one line in common have
all before it in common as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.records.ledger import read_lines

_KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Consecutive lines of a ledger that are those of one and the same run.

    Attributes:
        begin: Number of its first line; 0 is the initial state.
        end: Number of the line behind its last.
        owner: Place of the first run that has these lines.
    """

    begin: int
    end: int
    owner: int


def find_stretches(directories: Sequence[Path]) -> list[list[Stretch]]:
    """Return each run's stretches, in order.

    A last line that was cut short is left out. A ledger is read once; only those that differ are
    kept, 16 bytes a line.

    Args:
        directories: The runs.

    Raises:
        RecordError: A ledger is missing or unreadable.
    """
    places: dict[bytes, int] = {}
    ledgers: list[bytes] = []
    firsts: list[int] = []
    kinds: list[int] = []
    for place, directory in enumerate(directories):
        keys = b"".join(_derive_keys(directory))
        kind = places.setdefault(keys, len(ledgers))
        if kind == len(ledgers):
            ledgers.append(keys)
            firsts.append(place)
        kinds.append(kind)
    found = _cut(ledgers, firsts)
    return [found[kind] for kind in kinds]


def _derive_keys(directory: Path) -> Iterator[bytes]:
    for line in read_lines(directory):
        if line.endswith(b"\n"):
            yield hashlib.blake2b(line, digest_size=_KEY_BYTES).digest()


def _cut(ledgers: Sequence[bytes], firsts: Sequence[int]) -> list[list[Stretch]]:
    """Return the stretches of ledgers that all differ."""
    owners: dict[bytes, int] = {}
    found: list[list[Stretch]] = []
    for ledger, first in zip(ledgers, firsts, strict=True):
        stretches: list[Stretch] = []
        begin, owner = 0, first
        num_lines = len(ledger) // _KEY_BYTES
        for number in range(num_lines):
            key = ledger[number * _KEY_BYTES : (number + 1) * _KEY_BYTES]
            here = owners.setdefault(key, first)
            if here != owner and number > begin:
                stretches.append(Stretch(begin=begin, end=number, owner=owner))
                begin = number
            owner = here
        if num_lines:
            stretches.append(Stretch(begin=begin, end=num_lines, owner=owner))
        found.append(stretches)
    return found
