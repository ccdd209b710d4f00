"""Inspecting files on all cores.

Half of an inspection is Python, which threads of one interpreter do by turns; so many files are
inspected by processes, one for each thread that asks. What is seen is the same either way.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from cxr.data.inspection.inspect_file import FileBytes, inspect_files
from cxr.data.inspection.inspector_process import read_answers, write_request
from cxr.data.inspection.look import Look
from cxr.errors import DataError

MIN_FILES: Final = 200
"""Files that are inspected before processes are started: starting one takes as long as a few
hundred inspections of small files."""

_VARIABLES: Final = {
    # Its products are small: NumPy's threads would only wait, and that costs time too.
    "OPENBLAS_NUM_THREADS": "1",
    # Pages of one decoded picture are kept for the next one.
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}


class Inspectors:
    """Inspects files for several threads, each with a process of its own once there are many.

    Use it as a context: the processes end with the block.
    """

    def __init__(self) -> None:
        self._own = threading.local()
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._num_inspected = 0

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes; no thread may be asking any more."""
        for process in self._processes:
            _close(process)

    def inspect(self, files: Sequence[FileBytes]) -> list[Look]:
        """Do what `inspect_files` does.

        Raises:
            DataError: The process was killed over a file, by its decoder or for its memory.
        """
        process = self._find_process(len(files))
        if process is None or process.stdin is None or process.stdout is None:
            return inspect_files(files)
        looks: list[Look] = []
        with contextlib.suppress(BrokenPipeError):
            write_request(process.stdin, files)
            looks += read_answers(process.stdout, len(files))
        if len(looks) == len(files):
            return looks
        if (code := process.wait()) >= 0:
            # It failed in a way that is an error here too, and names its cause.
            self._own.process = None
            return inspect_files(files)
        del self._own.process
        if len(files) > 1:
            # Over which of them? One at a time, a new process tells.
            return [self.inspect([file])[0] for file in files]
        raise DataError(
            f"a process that inspects images was ended by {signal.Signals(-code).name}",
            where=files[0][1],
            hint="free memory if there was too little; otherwise move this file out of the set",
        )

    def _find_process(self, num_files: int) -> subprocess.Popen[bytes] | None:
        """Return this thread's process; None while it has none, or where none can be started."""
        if not hasattr(self._own, "process"):
            with self._lock:
                self._num_inspected += num_files
                if self._num_inspected <= MIN_FILES:
                    return None
            self._own.process = process = _start()
            if process is not None:
                with self._lock:
                    self._processes.append(process)
        found: subprocess.Popen[bytes] | None = self._own.process
        return found


def _start() -> subprocess.Popen[bytes] | None:
    module = "cxr.data.inspection.inspector_process"
    # A group of its own, so that Ctrl-C does not reach it from the terminal: it ends when its
    # pipes close.
    with contextlib.suppress(OSError):
        return subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-P", "-W", "ignore", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
            env=os.environ | _VARIABLES,
        )
    return None


def _close(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError), process:
        pass
