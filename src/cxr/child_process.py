"""Running cxr again in a process of its own, to which signals are passed on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cxr.interruption import blocked, pass_on


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
