"""What was found when files were last hashed, so that gigabytes are not read twice.

One entry a distribution, under a digest of its ``RECORD`` and of the device, inode, size and time
stamps of every file. The time of change is among them, which nobody can set back. A cache that is
damaged, or that cannot be written, is as good as none.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from cxr.atomic import make_directory, write_bytes
from cxr.digests.canonical import canonical_json, digest_json
from cxr.errors import RecordError, StorageError
from cxr.json_file import load_json_object
from cxr.places import find_cache_directory

_SCHEMA: Final = "cxr.installed/1"
_SUBJECT: Final = "installed"

_Entry = tuple[str, list[str]]
"""The key, and what was found under it."""


@dataclass(slots=True, kw_only=True)
class InstalledCache:
    """What is known, and what was asked for this time.

    Attributes:
        place: The cache's file; None where there is no place for one.
        known: Entries as they were read, by distribution.
        current: Entries to write.
    """

    place: Path | None
    known: dict[str, _Entry]
    current: dict[str, _Entry]

    @classmethod
    def load(cls) -> Self:
        """Return the cache of this environment; an empty one where it is not there or damaged."""
        directory = find_cache_directory(_SUBJECT)
        if directory is None:
            return cls(place=None, known={}, current={})
        # One file an environment, named without telling where that is.
        name = digest_json(os.path.realpath(sys.prefix)).partition(":")[2][:32]
        place = directory / f"{name}.json"
        try:
            entries = _parse(load_json_object(place))
        except (RecordError, ValueError, TypeError, AttributeError):
            entries = {}
        return cls(place=place, known=entries, current={})

    def get(self, name: str, key: str) -> list[str] | None:
        """Return what was found for a distribution when it had this very key."""
        known_key, problems = self.known.get(name, ("", []))
        return problems if known_key == key else None

    def put(self, name: str, key: str, problems: list[str]) -> None:
        """Keep what was found."""
        self.current[name] = (key, problems)

    def save(self) -> None:
        """Write what was kept, if it is other than what was read and can be written."""
        if self.place is None or self.current == self.known:
            return
        entries = {name: list(entry) for name, entry in self.current.items()}
        document = {"schema": _SCHEMA, "digest": digest_json(entries), "entries": entries}
        with contextlib.suppress(StorageError):
            make_directory(self.place.parent)
            write_bytes(self.place, canonical_json(document) + b"\n")


def _parse(document: dict[str, Any]) -> dict[str, _Entry]:
    """Return the entries of a cache.

    Raises:
        ValueError: They are not those that were written.
        TypeError: They have another shape.
        AttributeError: Likewise.
    """
    entries = document.get("entries", {})
    if document.get("schema") != _SCHEMA or document.get("digest") != digest_json(entries):
        raise ValueError("not as it was written")
    return {name: (key, problems) for name, (key, problems) in entries.items()}
