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
from support.serving import is_running, read_variables


def write_faulty(directory, name, deed):
    """Make a process that starts with ``directory`` on its path do something over one file."""
    (directory / "sitecustomize.py").write_text(
        "import os, cxr.data.inspection.inspect_file as module\n"
        "real = module.inspect_file\n"
        "def faulty(content, *, name):\n"
        f"    if name == {name!r}:\n"
        f"        {deed}\n"
        "    return real(content, name=name)\n"
        "module.inspect_file = faulty\n"
    )


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
    """Processes are started for the first file; a test that hangs fails."""

    def give_up(*_):
        raise TimeoutError("nothing happened for a minute")

    monkeypatch.setattr(inspectors, "MIN_FILES", 0)
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def started(monkeypatch):
    """The processes that were started."""
    processes = []
    start = inspectors._start

    def note():
        inspector = start()
        processes.append(inspector.process)
        return inspector

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


def test_where_many_files_are_expected_the_first_of_them_start_one(files, started, monkeypatch):
    monkeypatch.setattr(inspectors, "MIN_FILES", 30)
    with Inspectors() as some:
        some.expect(30)
        some.inspect(files)
        assert not started
        some.expect(31)
        assert some.inspect(files) == inspect_files(files)
    assert [process.returncode for process in started] == [0]


def test_threads_take_what_was_started_ahead_and_the_rest_ends_with_the_block(files, started):
    with Inspectors() as some:
        some.start_ahead(2)
        assert len(started) == 2
        assert some.inspect(files) == some.inspect(files) == inspect_files(files)
        assert len(started) == 2
    # Idle, and perhaps still starting: it is not waited for.
    assert sorted(process.returncode for process in started) == [-signal.SIGKILL, 0]


def test_what_was_started_ahead_ends_with_an_error(started):
    def fail():
        with Inspectors() as some:
            some.start_ahead(2)
            raise DataError("no such set", where="x", hint="y")

    with pytest.raises(DataError):
        fail()
    assert [process.returncode for process in started] == [-signal.SIGKILL] * 2


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


@pytest.mark.parametrize(("number", "name"), [(11, "SIGSEGV"), (40, "signal 40")])
def test_the_file_that_kills_its_process_is_named(
    files, started, monkeypatch, tmp_path, number, name
):
    # A decoder with a fault: the process is shot over one of its files.
    write_faulty(tmp_path, "4.jpeg", f"os.kill(os.getpid(), {number})")
    monkeypatch.setattr(inspectors, "_VARIABLES", {"PYTHONPATH": str(tmp_path)})
    with Inspectors() as some:
        assert some.inspect(files[:4]) == inspect_files(files[:4])
        with pytest.raises(DataError, match=f"ended by {name}") as caught:
            some.inspect(files)
        assert caught.value.where == "4.jpeg"
        assert some.inspect(files[5:]) == inspect_files(files[5:])
    # One for all, one for those before the file, two that die over it, one for those behind it.
    assert len(started) == 4
    assert all(process.returncode is not None for process in started)


def test_a_file_is_not_blamed_for_what_befell_an_idle_process(files, started):
    with Inspectors() as some:
        some.inspect(files[:1])
        started[0].kill()
        started[0].wait()
        assert some.inspect(files[:1]) == inspect_files(files[:1])
    assert len(started) == 2


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_process_ends_when_its_parent_is_killed(tmp_path, is_busy):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal, threading, time\n"
        "from cxr.data.inspection import inspectors\n"
        "inspectors.MIN_FILES = 0\n"
        "some = inspectors.Inspectors()\n"
        "some.inspect([(b'', 'a.png')])\n"
        "print(some._started[0].process.pid, flush=True)\n"
        "if BUSY:\n"
        "    threading.Thread(target=some.inspect, args=([(b'', 'busy.png')],)).start()\n"
        "    time.sleep(1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n".replace("BUSY", str(is_busy))
    )
    write_faulty(tmp_path, "busy.png", "while True: pass")
    parent = subprocess.run(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        check=False,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout)
    while is_running(pid):
        time.sleep(0.05)


def test_an_interrupt_does_not_wait_for_a_process_that_hangs(tmp_path, monkeypatch, started):
    write_faulty(tmp_path, "slow.png", "import time; time.sleep(3600)")
    monkeypatch.setattr(inspectors, "_VARIABLES", {"PYTHONPATH": str(tmp_path)})
    threads, heard = [], []

    def ask(some):
        with pytest.raises(DataError, match="over"):
            some.inspect([(b"", "slow.png")])
        heard.append("none")

    def be_interrupted():
        with Inspectors() as some:
            assert some.inspect([(b"", "a.png")])
            threads.append(threading.Thread(target=ask, args=(some,)))
            threads[0].start()
            while len(started) < 2:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    threads[0].join()
    assert heard == ["none"]
    assert all(process.returncode is not None for process in started)


def test_ctrl_c_from_the_terminal_does_not_reach_a_process(files, started):
    with Inspectors() as some:
        some.inspect(files)
        assert os.getpgid(started[0].pid) != os.getpgrp()


def test_a_process_is_told_no_secret(files, started, monkeypatch):
    monkeypatch.setenv("CXR_KEY_PASSWORD", "planted-0123")
    monkeypatch.setenv("OMP_PLANTED", "kept")
    with Inspectors() as some:
        assert some.inspect(files) == inspect_files(files)
        found = read_variables(started[0].pid)
    assert "planted-0123" not in found.values()
    assert found["OMP_PLANTED"] == "kept"


def test_nothing_of_the_working_directory_is_imported(files, started, tmp_path, monkeypatch):
    for name in ("struct", "json", "cxr"):
        (tmp_path / f"{name}.py").write_text("import os; os._exit(9)\n")
    monkeypatch.chdir(tmp_path)
    with Inspectors() as some:
        assert some.inspect(files) == inspect_files(files)
    assert started[0].returncode == 0


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


def test_what_is_printed_is_no_answer(files, started, tmp_path, monkeypatch):
    write_faulty(tmp_path, "4.jpeg", "print('a word', flush=True); os.write(1, b'another')")
    with (tmp_path / "sitecustomize.py").open("a") as startup:
        startup.write("print('good morning', flush=True)\n")
    monkeypatch.setattr(inspectors, "_VARIABLES", {"PYTHONPATH": str(tmp_path)})
    with Inspectors() as some:
        assert some.inspect(files) == inspect_files(files)
    assert [process.returncode for process in started] == [0]
