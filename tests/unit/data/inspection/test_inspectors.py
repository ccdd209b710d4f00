from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cxr.data.inspection import inspectors
from cxr.data.inspection.inspect_file import inspect_files
from cxr.data.inspection.inspector_process import answer_requests, read_answers, write_request
from cxr.data.inspection.inspectors import Inspectors
from cxr.errors import DataError

MODULE = "cxr.data.inspection.inspector_process"


def encode(number, suffix):
    stream = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (40, 50), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, suffix)
    return stream.getvalue()


@pytest.fixture(scope="module")
def files():
    """Sound files, and some of which a finding tells, with names of every kind."""
    sound = [(encode(i, form), f"{i}.{form}") for i, form in enumerate(["png", "jpeg", "bmp"] * 3)]
    return [
        *sound,
        (b"", "empty.png"),
        (b"\0" * 500, "zéros \udcff\n.jpeg"),
        (sound[1][0][:-30], "cut.jpeg"),
        (sound[0][0], "misnamed.bmp"),
        (b"x" * 3_000_000, "larger than a pipe.png"),
    ]


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(inspectors, "MIN_FILES", 0)


@pytest.fixture
def started(monkeypatch):
    """The processes that were started."""
    processes = []
    start = inspectors._start

    def note():
        processes.append(start())
        return processes[-1]

    monkeypatch.setattr(inspectors, "_start", note)
    return processes


def test_a_process_sees_what_is_seen_here(files, started):
    with Inspectors() as some:
        assert some.inspect(files) == inspect_files(files)
        assert some.inspect([]) == []
    assert [process.returncode for process in started] == [0]


def test_each_thread_has_a_process_of_its_own_and_gets_its_own_answers(files, started):
    meeting = threading.Barrier(3, timeout=60)

    def ask(turn):
        if turn < 3:
            meeting.wait()
        return some.inspect(files[turn % 5 :])

    with Inspectors() as some, ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, range(12)))
    assert answers == [inspect_files(files[turn % 5 :]) for turn in range(12)]
    assert len(started) == 3
    assert {process.returncode for process in started} == {0}


def test_a_few_files_start_no_process(files, started, monkeypatch):
    monkeypatch.setattr(inspectors, "MIN_FILES", 30)
    with Inspectors() as some:
        assert some.inspect(files) == some.inspect(files) == inspect_files(files)
        assert not started
        assert some.inspect(files) == inspect_files(files)
    assert len(started) == 1


def test_where_none_can_be_started_files_are_inspected_here(files, monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with Inspectors() as some:
        assert some.inspect(files) == inspect_files(files)


def test_one_that_cannot_work_is_not_started_twice(files, started, monkeypatch):
    monkeypatch.setattr(inspectors, "_VARIABLES", {"PYTHONHOME": "/nowhere"})
    with Inspectors() as some:
        assert some.inspect(files) == some.inspect(files) == inspect_files(files)
    assert len(started) == 1


def test_the_file_that_kills_its_process_is_named(files, started, monkeypatch, tmp_path):
    # A decoder with a fault: the process is shot over one of its files.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, cxr.data.inspection.inspect_file as module\n"
        "real = module.inspect_file\n"
        "def faulty(content, *, name):\n"
        "    if name == '4.jpeg':\n"
        "        os.kill(os.getpid(), 11)\n"
        "    return real(content, name=name)\n"
        "module.inspect_file = faulty\n"
    )
    monkeypatch.setattr(inspectors, "_VARIABLES", {"PYTHONPATH": str(tmp_path)})
    with Inspectors() as some:
        assert some.inspect(files[:4]) == inspect_files(files[:4])
        with pytest.raises(DataError, match="ended by SIGSEGV") as caught:
            some.inspect(files)
        assert caught.value.where == "4.jpeg"
        assert some.inspect(files[5:]) == inspect_files(files[5:])
    assert len(started) == 3
    assert all(process.returncode is not None for process in started)


def test_a_process_ends_when_its_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal\n"
        "from cxr.data.inspection import inspectors\n"
        "inspectors.MIN_FILES = 0\n"
        "some = inspectors.Inspectors()\n"
        "some.inspect([(b'', 'a.png')])\n"
        "print(some._processes[0].pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, check=False)
    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout)
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("it lives on")


@pytest.mark.parametrize("cut", [2, 4, 10, 17, 30, -1])
def test_a_request_that_breaks_off_is_not_answered(cut):
    request, answers = io.BytesIO(), io.BytesIO()
    write_request(request, [(b"\0" * 64, "name.png")])
    answer_requests(io.BytesIO(request.getvalue()[:cut]), answers)
    assert not answers.getvalue()


def test_answers_that_break_off_are_not_taken_for_whole(files):
    request, answers = io.BytesIO(), io.BytesIO()
    write_request(request, files)
    answer_requests(io.BytesIO(request.getvalue()), answers)
    looks = inspect_files(files)
    assert list(read_answers(io.BytesIO(answers.getvalue()), len(files))) == looks
    for cut in range(0, len(answers.getvalue()), 97):
        some = list(read_answers(io.BytesIO(answers.getvalue()[:cut]), len(files)))
        assert some == looks[: len(some)]
        assert len(some) < len(files)


def test_what_a_decoder_prints_is_no_answer(files, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, cxr.data.inspection.inspect_file as module\n"
        "real = module.inspect_file\n"
        "def chatty(content, *, name):\n"
        "    print('a word'); os.write(1, b'another')\n"
        "    return real(content, name=name)\n"
        "module.inspect_file = chatty\n"
    )
    request = io.BytesIO()
    write_request(request, files)
    ran = subprocess.run(
        [sys.executable, "-m", MODULE],
        input=request.getvalue(),
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert list(read_answers(io.BytesIO(ran.stdout), len(files))) == inspect_files(files)
