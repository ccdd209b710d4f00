"""Inspecting files on all cores.

Half of an inspection is Python, which threads of one interpreter do by turns; so many files are
inspected by processes, one for each thread that asks. What is seen is the same either way.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from cxr.answering_process import AnsweringProcess, name_end, start_answering
from cxr.data.inspection.inspect_file import FileBytes, inspect_files
from cxr.data.inspection.inspector_process import read_answers, write_request
from cxr.data.inspection.look import Look
from cxr.errors import DataError

MIN_FILES: Final = 200
"""Files for which no process is started: starting one takes as long as a few hundred inspections
of small files."""

_MODULE: Final = "cxr.data.inspection.inspector_process"
_VARIABLES: Final = {
    # Its products are small: NumPy's threads would only wait, and that costs time too.
    "OPENBLAS_NUM_THREADS": "1",
    # Pages of one decoded picture are kept for the next one.
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}


_NUM_TRIES: Final = 2
"""A process may be killed for reasons of its own; over one file twice, that file is the reason."""


class Inspectors:
    """Inspects files for several threads, each with a process of its own once there are many.

    Use it as a context: the processes end with the block, and are killed if an exception ends it.
    A thread that waits for one is then free, so it may be waited for after that.
    """

    def __init__(self) -> None:
        self._own = threading.local()
        self._lock = threading.Lock()
        self._started: list[AnsweringProcess] = []
        self._ready: list[AnsweringProcess] = []
        self._num_inspected = 0
        self._num_expected = 0
        self._is_over = False

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes."""
        with self._lock:
            self._is_over = True
            idle, self._ready = self._ready, []
        for inspector in self._started:
            # One that nobody asked may still be starting: that is not waited for.
            inspector.end(at_once=kind is not None or inspector in idle)

    def start_ahead(self, number: int) -> None:
        """Start some processes, which get ready until threads ask for one each."""
        for _ in range(number):
            inspector = self._start()
            if inspector is not None:
                with self._lock:
                    self._ready.append(inspector)

    def expect(self, num_files: int) -> None:
        """Say that so many files are likely to come, so that processes are started at once."""
        with self._lock:
            self._num_expected = max(self._num_expected, num_files)

    def inspect(self, files: Sequence[FileBytes]) -> list[Look]:
        """Do what `inspect_files` does.

        Raises:
            DataError: The process was killed over a file, by its decoder or for its memory.
        """
        code = 0
        for _ in range(_NUM_TRIES):
            inspector = self._find_inspector(len(files))
            if inspector is None:
                return inspect_files(files)
            looks = _inspect(inspector, files)
            if len(looks) == len(files):
                return looks
            if (code := inspector.process.wait()) >= 0:
                # It failed in a way that is an error here too, and names its cause.
                self._own.inspector = None
                return inspect_files(files)
            del self._own.inspector
            if len(files) > 1:
                # Over which of them? One at a time, a new process tells.
                return [self.inspect([file])[0] for file in files]
        raise DataError(
            f"a process that inspects images was ended by {name_end(code)}",
            where=files[0][1],
            hint="free memory if there was too little; otherwise move this file out of the set",
        )

    def _find_inspector(self, num_files: int) -> AnsweringProcess | None:
        """Return this thread's process; None while it has none, or where none can be started.

        Raises:
            DataError: The block is over.
        """
        if not hasattr(self._own, "inspector"):
            with self._lock:
                self._num_inspected += num_files
                ready = self._ready.pop() if self._ready else None
                if ready is None and max(self._num_inspected, self._num_expected) <= MIN_FILES:
                    return None
            self._own.inspector = ready or self._start()
        found: AnsweringProcess | None = self._own.inspector
        return found

    def _start(self) -> AnsweringProcess | None:
        with self._lock:
            if self._is_over:
                # Nobody waits for what this thread would see.
                raise DataError("inspecting is over", where="a thread of it", hint="look again")
            inspector = _start()
            if inspector is not None:
                self._started.append(inspector)
        return inspector


def _start() -> AnsweringProcess | None:
    """Start a process; None where that cannot be done."""
    try:
        return start_answering(_MODULE, _VARIABLES)
    except OSError:
        return None


def _inspect(inspector: AnsweringProcess, files: Sequence[FileBytes]) -> list[Look]:
    """Return the looks of a process, or fewer if it ended."""
    looks: list[Look] = []
    with contextlib.suppress(BrokenPipeError):
        write_request(inspector.requests, files)
        looks += read_answers(inspector.answers, len(files))
    return looks
