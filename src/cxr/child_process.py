"""Running cxr, or another program, in a process of its own, to which signals are passed on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cxr.interruption import blocked, has_signal, held, pass_on


def run_cxr(
    arguments: Sequence[str],
    *,
    variables: Mapping[str, str] | None = None,
    python: Path | None = None,
    silent: bool = False,
) -> int:
    """Run a command of cxr to its end; return its exit code, negative where a signal killed it.

    ``-P`` keeps modules of the working directory out. The process has a group of its own, so that
    Ctrl-C does not reach it from the terminal too: what comes here is passed on, each signal once.

    Args:
        arguments: What stands behind ``cxr``.
        variables: Its environment; None: this process's own.
        python: The interpreter; None: this process's own.
        silent: Whether its stderr is dropped, as its stdout always is.
    """
    with blocked():
        process = subprocess.Popen(  # noqa: S603 - this very program
            [str(python or sys.executable), "-P", "-m", "cxr", *arguments],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if silent else None,
            process_group=0,
        )
        pass_on(process.send_signal)
    try:
        return process.wait()
    finally:
        pass_on(None)


def run_program(
    command: Sequence[str],
    hear: Callable[[str], None],
    *,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run another program to its end; return its exit code, negative where a signal killed it.

    It does not know to unblock signals, as cxr does, so none is blocked while it starts: one that
    comes then is noted and passed on as soon as there is somebody to pass it on to.

    Args:
        command: The program and its arguments.
        hear: Gets each line that it writes to stderr; its stdout is dropped. If this fails, the
            program is ended.
        variables: Its environment; None: this process's own.

    Raises:
        OSError: It cannot be started.
    """
    with (
        held(),
        subprocess.Popen(  # noqa: S603 - the caller's fixed program
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            # A group of its own, as for cxr, that has its children in it too.
            process_group=0,
        ) as process,
    ):

        def send(number: int) -> None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)

        pass_on(send)
        try:
            if has_signal():
                send(signal.SIGTERM)
            for line in process.stderr or ():
                hear(line.rstrip("\n"))
            return process.wait()
        finally:
            pass_on(None)
            if process.poll() is None:
                send(signal.SIGKILL)
