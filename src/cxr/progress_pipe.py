"""Progress of another process of cxr, which comes through a pipe, one JSON value a line.

The writer ends with its reader: once nobody reads any more it stops as by SIGTERM, and leaves a
record that says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import time
from typing import Final

from cxr.progress import Progress

_EVERY_S: Final = 0.1
"""An eye needs no more; a step of a small network takes less."""

_GRACE_S: Final = 60.0
"""How long a process may take to end once its reader is gone: a step of a large network."""


class PipeProgress:
    """Writes progress to a pipe.

    Args:
        pipe: Number of its open file.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._what = ""
        self._told = 0.0

    def advance(self, what: str, done: int, total: int) -> None:
        """Write how far something is, a few times a second."""
        now = time.monotonic()
        if what != self._what or done == total or now - self._told >= _EVERY_S:
            self._what, self._told = what, now
            self._write([what, done, total])

    def note(self, text: str) -> None:
        """Write a line that is worth keeping."""
        self._write(text)

    def _write(self, value: object) -> None:
        # Where the reader is gone, `end_with_reader` ends this process.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, json.dumps(value).encode("ascii") + b"\n")


def end_with_reader(pipe: int) -> None:
    """Have this process stop, as by SIGTERM, once nobody reads from a pipe any more.

    Args:
        pipe: Number of its open file, which this process writes to.
    """
    threading.Thread(target=_wait_for_end, args=(pipe,), daemon=True).start()


def _wait_for_end(pipe: int) -> None:
    reader = select.poll()
    reader.register(pipe, 0)  # errors are always told
    reader.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)


def tell_progress(line: bytes, progress: Progress) -> None:
    """Tell what one line of such a pipe says; one that says nothing known is passed over."""
    try:
        value = json.loads(line)
    except ValueError:
        return
    if isinstance(value, str):
        progress.note(value)
    elif isinstance(value, list) and [type(part) for part in value] == [str, int, int]:
        progress.advance(*value)
