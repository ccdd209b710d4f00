"""Stopping cleanly: a signal is noted at once and obeyed at the next step or batch."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

from cxr.errors import Interrupted
from cxr.progress import Progress

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class InterruptibleProgress:
    """Passes progress on, and raises `Interrupted` once a signal has come.

    Records are written between calls of `advance`, so none is cut in half. A second signal stops
    at once.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._signal: int | None = None

    def advance(self, what: str, done: int, total: int) -> None:
        """Pass progress on.

        Raises:
            Interrupted: A signal has come.
        """
        if self._signal is not None:
            name = signal.Signals(self._signal).name
            raise Interrupted(
                f"stopped by {name}",
                where=f"{what}, {done} of {total} done",
                hint="go on with cxr train --resume RUN where there is a run, or start again",
            )
        self._progress.advance(what, done, total)

    def note(self, text: str) -> None:
        """Pass a line on."""
        self._progress.note(text)

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal; the second one is not waited for."""
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number


@contextlib.contextmanager
def interruptible(progress: Progress) -> Iterator[Progress]:
    """Take signals for the block through the progress that it reports.

    Outside the main thread, where Python delivers no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield progress
        return
    watched = InterruptibleProgress(progress)
    # A signal that is ignored, as SIGHUP is under nohup, stays ignored.
    taken = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, watched.receive) for number in taken}
    try:
        yield watched
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
