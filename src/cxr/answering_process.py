"""A process of cxr's own that answers its parent over a pipe, and ends with it.

Requests go to its stdin. Answers come through a pipe of their own: anything may print to stdout
while an interpreter starts.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, cast

from cxr.environment.private_text import names_a_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringProcess:
    """A process, and the two ends of what is said between it and its parent.

    Attributes:
        process: The process.
        requests: Where requests are written.
        answers: Where its answers are read.
    """

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]

    def end(self, *, at_once: bool) -> None:
        """Let it end, or kill it whatever it is doing; then nobody hears of it any more."""
        if at_once:
            self.process.kill()
        with contextlib.suppress(BrokenPipeError), self.process:
            pass
        # A thread that reads has come to the end by now.
        self.answers.close()


def start_answering(module: str, variables: Mapping[str, str]) -> AnsweringProcess:
    """Start a module of cxr as ``python -m``; its argument is the number of the pipe for answers.

    ``-P`` keeps modules of the working directory out. The process has a group of its own, so that
    Ctrl-C does not reach it from the terminal. Variables that are called like a secret are
    withheld: it may read what strangers sent.

    Args:
        module: Its full name.
        variables: What its environment has besides this process's own.

    Raises:
        OSError: It cannot be started.
    """
    kept = {name: value for name, value in os.environ.items() if not names_a_secret(name)}
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-P", "-W", "ignore", "-m", module, str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writing,),
            process_group=0,
            env=kept | dict(variables),
        )
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    # It is there, as it was asked for.
    requests = cast("IO[bytes]", process.stdin)
    return AnsweringProcess(process=process, requests=requests, answers=os.fdopen(reading, "rb"))


def name_end(code: int) -> str:
    """Return how a process ended, by its return code, as a phrase that follows "was ended by"."""
    try:
        return signal.Signals(-code).name if code < 0 else f"code {code}"
    except ValueError:
        return f"signal {-code}"


def end_with_parent(pipe: int) -> None:
    """Have this process end once nobody can read its answers any more, whatever it is busy with."""
    threading.Thread(target=_wait_for_end, args=(pipe,), daemon=True).start()


def _wait_for_end(pipe: int) -> None:
    parent = select.poll()
    parent.register(pipe, 0)  # errors are always told
    parent.poll()
    os._exit(1)
