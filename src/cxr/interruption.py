"""Signals that ask to stop: taken from the first line of ``main()`` on, and never lost.

Where nothing is being written, a signal ends the process at once. It does so without an exception:
while modules load, somebody may catch that, and go on or fail in another way. Inside `held`, a
signal is noted and obeyed between two records; a second one is not waited for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Final

from cxr.errors import ExitCode, Interrupted
from cxr.progress import Progress

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_STDERR: Final = 2
_HINTS: Final = {
    "cxr train": "start again; cxr train --resume RUN goes on with a run",
    "cxr reproduce": "start again; cxr train --resume RUN goes on with a run",
    "cxr repeat": "start again; cxr repeat --resume DIR goes on with a series",
}
"""What to do once a command was stopped, where more can be done than starting again."""


class _State:
    """What came, and what is done with what comes: one for the process, as handlers are.

    Attributes:
        received: Signals that were noted, in order.
        holds: How many blocks of `held` are open.
        is_ending: Whether a block of `ending` is open.
        receiver: Whom signals are passed on to, if anybody.
    """

    def __init__(self) -> None:
        self.received: list[signal.Signals] = []
        self.holds = 0
        self.is_ending = False
        self.receiver: Callable[[int], object] | None = None


_state: Final = _State()


def take_signals() -> None:
    """Answer signals from now on, those too that have waited since this process was started."""
    for number in _SIGNALS:
        # One that is ignored, as SIGHUP is under nohup, stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _receive)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Let signals wait until the block ends.

    A program that is started in the block inherits this: what is sent to it waits until it calls
    `take_signals`, however long its interpreter takes to start.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_signals() -> None:
    """Let no signal change what was said and how the process ends, once that is settled."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Note signals instead of ending at once, because the block writes something."""
    _state.holds += 1
    try:
        yield
    finally:
        _state.holds -= 1


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Note the second signal too, and any other: the block says in the record how it ended."""
    _state.is_ending = True
    try:
        yield
    finally:
        _state.is_ending = False


def has_signal() -> bool:
    """Say whether a signal has been noted."""
    return bool(_state.received)


def take_received() -> list[signal.Signals]:
    """Return the signals that were noted, and forget them: the caller has obeyed them."""
    received, _state.received = _state.received, []
    return received


def obey(where: str) -> None:
    """Stop here, if a signal has been noted.

    Raises:
        Interrupted: One has.
    """
    if _state.received:
        raise describe_stop(where)


def describe_stop(where: str) -> Interrupted:
    """Return what the user is told when the first signal noted is obeyed."""
    return Interrupted(
        f"stopped by {_state.received[0].name}",
        where=where,
        hint=_HINTS.get(name_command(), "start again"),
    )


def pass_on(receiver: Callable[[int], object] | None) -> None:
    """Hand each signal that comes to ``receiver`` as well; None ends that."""
    _state.receiver = receiver


class InterruptibleProgress:
    """Passes progress on, and stops once a signal has come.

    Records are written between calls of `advance`, so none is cut in half.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def advance(self, what: str, done: int, total: int) -> None:
        """Pass progress on.

        Raises:
            Interrupted: A signal has come.
        """
        obey(f"{what}, {done} of {total} done")
        self._progress.advance(what, done, total)

    def note(self, text: str) -> None:
        """Pass a line on."""
        self._progress.note(text)


def name_command() -> str:
    """Return the command that this process was started with, without its arguments."""
    return " ".join(["cxr", *sys.argv[1:2]])


def _receive(number: int, _frame: object) -> None:
    """Answer a signal in the way that fits what is being done."""
    _state.received.append(signal.Signals(number))
    if _state.receiver is not None:
        _state.receiver(number)
    elif _state.is_ending:
        return
    elif not _state.holds:
        _end_at_once()
    elif len(_state.received) > 1:
        raise KeyboardInterrupt


def _end_at_once() -> None:
    """Say why, and end without running anything more."""
    error = describe_stop(name_command())
    with contextlib.suppress(OSError):
        os.write(_STDERR, f"error: {error}\n".encode())
    os._exit(ExitCode.INTERRUPTED)
