from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from cxr import progress_pipe
from cxr.progress_pipe import PipeProgress, tell_progress

WRITER = """
import sys, time
from cxr.interruption import take_signals
from cxr.progress_pipe import PipeProgress, end_with_reader
take_signals()
end_with_reader(1)
PipeProgress(1).note("here")
time.sleep(300)
"""


class Heard:
    def __init__(self):
        self.told = []

    def advance(self, what, done, total):
        self.told.append((what, done, total))

    def note(self, text):
        self.told.append(text)


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def read_told(reader):
    heard = Heard()
    for line in os.read(reader, 2**16).splitlines():
        tell_progress(line, heard)
    return heard.told


def test_what_is_written_is_heard(pipe):
    progress = PipeProgress(pipe[1])
    progress.note("two lines\nof one note, é")
    progress.advance("epoch 3", 1, 1)
    assert read_told(pipe[0]) == ["two lines\nof one note, é", ("epoch 3", 1, 1)]


def test_it_is_told_a_few_times_a_second_and_what_begins_and_ends_always(pipe, monkeypatch):
    clock = iter([0.0, 0.01, 0.05, 0.2, 0.21, 0.22])
    monkeypatch.setattr(progress_pipe.time, "monotonic", lambda: next(clock))
    progress = PipeProgress(pipe[1])
    for done in range(1, 6):
        progress.advance("epoch 0", done, 5)
    progress.advance("epoch 1", 1, 5)
    assert read_told(pipe[0]) == [
        ("epoch 0", 1, 5),
        ("epoch 0", 4, 5),
        ("epoch 0", 5, 5),
        ("epoch 1", 1, 5),
    ]


@pytest.mark.parametrize("line", [b"{", b"[1,2,3]", b'["epoch 0", true, 2]', b"7", b'["a"]'])
def test_what_is_not_known_is_passed_over(line):
    heard = Heard()
    tell_progress(line, heard)
    assert heard.told == []


def test_a_writer_stops_when_its_reader_is_gone():
    with subprocess.Popen(
        [sys.executable, "-c", WRITER], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b'"here"\n'
        process.stdout.close()
        try:
            process.wait(60)
            said = process.stderr.read()
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert said.startswith(f"error: stopped by {signal.SIGTERM.name}".encode())
