"""Processes that keep the machine busy beside a run, until the one that started them ends.

One is started as ``python -m`` this module with a kind of `KINDS`. When its stdin ends, it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

KINDS: Final = ("compute", "memory")
"""Busy with arithmetic; busy with copying more memory than caches hold."""

_BLOCK_BYTES: Final = 2**26


def start_load(kinds: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    """Start busy processes, of a group of their own each, which no Ctrl-C of a terminal reaches.

    Args:
        kinds: One of `KINDS` for each.

    Raises:
        OSError: One cannot be started.
    """
    return [
        subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-P", "-m", __name__, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        for kind in kinds
    ]


def end_load(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End busy processes, and wait until they have."""
    for process in processes:
        process.kill()
    for process in processes:
        with process:
            pass


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _be_busy(kind: str) -> None:
    source, target = bytearray(_BLOCK_BYTES), bytearray(_BLOCK_BYTES)
    number = 1
    while True:
        if kind == "memory":
            target[:] = source
        else:
            number = number * 6364136223846793005 % 2**64


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _be_busy(sys.argv[1])
