from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from cxr.determinism.portable import memory

COUNT_PAGES = """
import resource, torch
from cxr.determinism.portable.memory import keep_freed_memory

def count_new_pages():
    counts = []
    for _ in range(24):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(2**23)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    # Some calls may pass until a block that was freed is large enough, with its alignment.
    return min(counts)

print(count_new_pages(), keep_freed_memory(), keep_freed_memory(), count_new_pages())
"""


def test_freed_memory_is_used_again():
    finished = subprocess.run(
        [sys.executable, "-c", COUNT_PAGES], capture_output=True, text=True, check=True
    )
    without, kept, again, with_it = finished.stdout.split()
    assert kept == again
    if kept == "False":
        pytest.skip("this C library takes no advice")
    # 32 MiB are 8,192 pages of 4 KiB, or 16 of 2 MiB.
    assert int(without) >= 16
    assert int(with_it) < int(without) // 4


@pytest.mark.parametrize("libc", [object(), None])
def test_other_c_libraries_are_told_of(monkeypatch, libc):
    monkeypatch.setattr(memory.sys, "platform", "darwin" if libc is None else "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: libc)
    assert memory.keep_freed_memory.__wrapped__() is False


def test_advice_that_is_refused_is_told_of(monkeypatch):
    tried = []

    def mallopt(name, _value):
        tried.append(name)
        return int(len(tried) != 1)

    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt))
    assert memory.keep_freed_memory.__wrapped__() is False
    # The others are given all the same.
    assert len(tried) == 3
