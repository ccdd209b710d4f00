"""The process that decodes for a service: started, asked, ended where it takes too long, replaced.

Decoders are C libraries that read what strangers send. What ends or stalls one of them costs an
image its answer, and the service nothing but the time until another process is there.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import IO, Final, TypeVar

from cxr.answering_process import AnsweringProcess, name_end, start_answering
from cxr.errors import CxrError, PreprocessingError
from cxr.inference.answers import UNREADABLE, Refusal
from cxr.inference.prepare_image import DecodedImage
from cxr.interruption import blocked
from cxr.serving.decoder_messages import (
    Task,
    read_decoded,
    read_greeting,
    write_image,
    write_task,
)
from cxr.serving.uploads import Upload

_MODULE: Final = "cxr.serving.decoder_process"
_VARIABLES: Final = {
    # Its products are small: NumPy's threads would only wait.
    "OPENBLAS_NUM_THREADS": "1",
}
_START_S: Final = 120.0
"""A process that is not ready by then hangs."""
_NUM_TRIES: Final = 2
"""It may be killed for reasons of its own; over one image twice, that image is the reason."""

Said = TypeVar("Said")


class DecoderError(CxrError):
    """There is no process that decodes, and none can be started."""


class Decoder:
    """Decodes images in a process of its own, one after another.

    Args:
        task: How images are decoded.
        limit_s: How long an image may take.
        digest: Of the preprocessing that each process must do; None: that of the first one.
    """

    def __init__(self, task: Task, *, limit_s: float, digest: str | None) -> None:
        self._task = task
        self._limit_s = limit_s
        self._guard = threading.Lock()
        self._ready: AnsweringProcess | None = None
        self._running: AnsweringProcess | None = None
        self._digest = digest
        self._over = threading.Event()

    def is_ready(self) -> bool:
        """Say whether an image that comes now would be decoded; it never waits."""
        ready = self._ready
        return ready is not None and ready.process.poll() is None

    def start(self) -> None:
        """Have a process that is ready, unless there is one.

        Raises:
            DecoderError: None can be started.
            PreprocessingError: It makes other tensors of the bundled pictures.
        """
        with self._guard:
            self._require_ready()

    def decode(self, upload: Upload) -> DecodedImage | Refusal:
        """Do what `decode_input` does, within the time that an image may take.

        Raises:
            DecoderError: The process failed in a way of its own, or none can be started.
            PreprocessingError: As `start`.
        """
        with self._guard:
            return self._decode(upload)

    def close(self) -> None:
        """End the process, whatever it is doing; no other is started."""
        self._over.set()
        if (running := self._running) is not None:
            running.process.kill()
        with self._guard:
            self._drop()

    def _decode(self, upload: Upload) -> DecodedImage | Refusal:
        def write(stream: IO[bytes]) -> None:
            write_image(stream, upload.name, upload.content)

        code = 0
        for _ in range(_NUM_TRIES):
            ready = self._require_ready()
            said, is_late = _ask(ready, write, read_decoded, limit_s=self._limit_s)
            if said is not None and not is_late:
                return said
            code = self._drop()
            if said is not None:
                # It answered in the moment in which it was ended.
                return said
            if is_late:
                detail = f"decoding it took more than {self._limit_s:g} s"
                return Refusal(path=upload.name, kind=UNREADABLE, detail=detail)
            if code >= 0:
                raise _explain(f"the process that decodes images was ended by {name_end(code)}")
        detail = f"the process that decodes images was ended by {name_end(code)}"
        return Refusal(path=upload.name, kind=UNREADABLE, detail=detail)

    def _require_ready(self) -> AnsweringProcess:
        """Return a process that is ready, and start one where there is none."""
        if self._ready is not None and self.is_ready():
            return self._ready
        # One that ended while nobody asked.
        self._drop()
        running = self._start()

        def write(stream: IO[bytes]) -> None:
            write_task(stream, self._task)

        digest, _ = _ask(running, write, read_greeting, limit_s=_START_S)
        if digest is None:
            code = self._drop()
            raise _explain(f"the process that decodes images was ended by {name_end(code)}")
        if self._digest not in (None, digest):
            self._drop()
            raise PreprocessingError(
                "images become other tensors here than when the service began",
                where="the process that decodes images",
                hint="a decoder was replaced on this machine; start the service again",
            )
        self._digest, self._ready = digest, running
        return running

    def _start(self) -> AnsweringProcess:
        if self._over.is_set():
            raise _explain("the service stops")
        try:
            # Signals to stop are the service's, also those that are sent to all of its processes.
            with blocked():
                self._running = start_answering(_MODULE, _VARIABLES)
        except OSError as error:
            said = error.strerror or error
            raise _explain(f"the process that decodes images cannot be started: {said}") from error
        if self._over.is_set():
            # `close` may have looked before there was one.
            self._running.process.kill()
        return self._running

    def _drop(self) -> int:
        """End the process, if there is one, and return its code."""
        running, self._running, self._ready = self._running, None, None
        if running is None:
            return 0
        # What ended by itself keeps its own code.
        running.end(at_once=True)
        return running.process.returncode


def _ask(
    running: AnsweringProcess,
    write: Callable[[IO[bytes]], None],
    read: Callable[[IO[bytes]], Said],
    *,
    limit_s: float,
) -> tuple[Said | None, bool]:
    """Return what a process says, None where it ends, and whether it was ended for its time."""
    with _timed(running, limit_s) as is_late:
        try:
            write(running.requests)
            said = read(running.answers)
        except BrokenPipeError:
            said = None
    return said, is_late.is_set()


@contextlib.contextmanager
def _timed(running: AnsweringProcess, limit_s: float) -> Iterator[threading.Event]:
    """Kill a process that takes longer than the block may, and say in the event that it was."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        running.process.kill()

    clock = threading.Timer(limit_s, end)
    clock.start()
    try:
        yield is_late
    finally:
        clock.cancel()
        # From here on it is settled which of the two came first.
        clock.join()


def _explain(problem: str) -> DecoderError:
    return DecoderError(
        problem,
        where="cxr serve",
        hint="free memory or processes if there are too few; start the service again",
    )
