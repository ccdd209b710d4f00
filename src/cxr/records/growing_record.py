"""A record as it grows: opened with what went in, sealed however what it tells of ends."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cxr.errors import CxrError
from cxr.records.manifest import Manifest, digest_files, write_manifest

# From where an absolute or home path begins to what may end a phrase: a path can hold spaces.
_ELSEWHERE: Final = re.compile(r"(?<![\w.<])(?:~|/|[A-Za-z]:\\)[^,;:'\")\]\n]*")

# The last part of a path, where it is a file's; the last part of others may be somebody's name.
_FILE_NAME: Final = re.compile(r"[^/\\]+\.[A-Za-z0-9]{1,12}(?=\s|$)")


@dataclass(kw_only=True)
class GrowingRecord:
    """A manifest while it is being written.

    Attributes:
        directory: The record's directory.
        manifest: What is known so far.
    """

    directory: Path
    manifest: Manifest = field(default_factory=dict)
    _opened: float | None = field(default=None, init=False, repr=False)

    def open(self, content: Mapping[str, Any]) -> None:
        """Write a manifest whose status is ``running``.

        Raises:
            StorageError: It cannot be written.
        """
        self._opened = time.monotonic()
        self.manifest = {
            **content,
            "status": "running",
            "volatile": {"started": tell_time(), "finished": None, "duration_s": None},
        }
        write_manifest(self.directory, self.manifest)

    def note_failure(self, error: BaseException | None) -> None:
        """Keep what went wrong, without the places of this machine."""
        if isinstance(error, CxrError):
            said = {"problem": error.problem, "at": error.where}
            self.manifest["failure"] = {
                name: hide_paths(text, self.directory) for name, text in said.items()
            }
        elif error is not None:
            # What a library says may hold anything: only the kind is kept.
            self.manifest["failure"] = {"problem": type(error).__name__, "at": "unknown"}

    def seal(self, status: str) -> Manifest:
        """Write the manifest of what has ended, with the digest of every file.

        Raises:
            StorageError: It cannot be written.
        """
        self.manifest["status"] = status
        self.manifest["files"] = digest_files(self.directory)
        ends = {"finished": tell_time(), "duration_s": round(self._measure(), 3)}
        self.manifest["volatile"] |= ends
        return write_manifest(self.directory, self.manifest)

    def _measure(self) -> float:
        """Return the seconds since the record began; never negative, though clocks be set back."""
        if self._opened is not None:
            return time.monotonic() - self._opened
        # Another process began it.
        started = datetime.fromisoformat(self.manifest["volatile"]["started"])
        return max(0.0, (datetime.now(UTC) - started).total_seconds())


def tell_time() -> str:
    """Return the time as records have it: UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def hide_paths(text: str, directory: Path) -> str:
    """Keep what lies in a run directory, by its name there; of other paths a file's name alone."""
    for root in (str(directory), str(directory.resolve())):
        text = text.replace(f"{root}{os.sep}", "").replace(root, "the run directory")
    return _ELSEWHERE.sub(_keep_file_name, text)


def _keep_file_name(path: re.Match[str]) -> str:
    name = _FILE_NAME.search(path[0])
    return name[0] if name is not None else "a path outside the run"
