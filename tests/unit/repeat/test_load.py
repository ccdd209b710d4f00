"""Busy processes end with whoever started them, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxr.repeat.load import KINDS, end_load, start_load

KILLED = """
import os, signal
from cxr.repeat.load import start_load
[process] = start_load(["compute"])
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_busy_until_they_are_ended(kind):
    [process] = start_load([kind])
    try:
        deadline = time.monotonic() + 60
        while read_cpu_ticks(process.pid) < 20:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        end_load([process])
    assert process.returncode == -signal.SIGKILL


def test_they_end_with_a_parent_that_is_killed():
    parent = subprocess.run(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert parent.returncode == -signal.SIGKILL
    wait_for_end(int(parent.stdout))


def read_cpu_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < deadline, "it was orphaned"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
