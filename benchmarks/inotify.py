"""Telling what happens to the files of a run, as soon as it happens: Linux's inotify."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from pathlib import Path
from typing import Final

_MODIFIED: Final = 0x2
_RENAMED_TO: Final = 0x80
_CREATED: Final = 0x100
_EVENT: Final = struct.Struct("iIII")
_BUFFER_BYTES: Final = 1 << 16


class Watch:
    """Follows what is made and written in a run directory that may not be there yet.

    Args:
        run: The run directory; its parent is there.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify is not there")
        self._places: dict[int, Path] = {}
        for place in (run.parent, run, run / "checkpoints"):
            self._follow(place)

    def close(self) -> None:
        """Follow no longer."""
        os.close(self._descriptor)

    def wait(self, timeout_s: float) -> list[str]:
        """Return the names, below the run, of files made, written or renamed since last asked."""
        if not select.select([self._descriptor], [], [], timeout_s)[0]:
            return []
        content, position, names = os.read(self._descriptor, _BUFFER_BYTES), 0, []
        while position < len(content):
            place, _, _, size = _EVENT.unpack_from(content, position)
            position += _EVENT.size + size
            name = content[position - size : position].rstrip(b"\0").decode()
            path = self._places[place] / name
            if path in (self._run, self._run / "checkpoints"):
                # What was made before it was followed counts as well.
                names += [path / inner for inner in self._follow(path)]
            elif path.is_relative_to(self._run):
                names.append(path)
        return [path.relative_to(self._run).as_posix() for path in names]

    def _follow(self, place: Path) -> list[str]:
        """Follow a directory if it is there; return the names in it."""
        mask = _MODIFIED | _RENAMED_TO | _CREATED
        number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(place), mask)
        if number < 0:
            return []
        self._places[number] = place
        return [path.name for path in place.iterdir()]
