from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from cxr import interruption
from cxr.child_process import run_program
from cxr.errors import Interrupted
from cxr.interruption import has_signal, held, obey, take_signals

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SAY_WHICH = """
import signal, sys, time
def hear(number, frame):
    print('got', signal.Signals(number).name, file=sys.stderr, flush=True)
    sys.exit(3)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, hear)
print('ready', file=sys.stderr, flush=True)
time.sleep(300)
"""


@pytest.fixture
def taken(monkeypatch):
    """Signals of this process taken, and given back afterwards."""
    monkeypatch.setattr(interruption, "_state", interruption._State())
    before = {number: signal.getsignal(number) for number in STOPPING}
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
    take_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def python(code):
    return [sys.executable, "-c", code]


def test_lines_are_heard_and_the_exit_code_is_told():
    heard = []
    code = (
        "import os, sys; print('not this'); "
        "os.write(2, b'one\\n\\xfftwo\\n'); print(os.environ['X'], file=sys.stderr); sys.exit(7)"
    )
    assert run_program(python(code), heard.append, variables={"X": "three"}) == 7
    assert heard == ["one", "\\xfftwo", "three"]


def test_a_program_that_a_signal_killed_tells_which():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run_program(python(code), lambda _: None) == -signal.SIGKILL


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_passed_on_and_obeyed_afterwards(number):
    heard = []

    def hear(line):
        heard.append(line)
        if line == "ready":
            os.kill(os.getpid(), number)

    assert run_program(python(SAY_WHICH), hear) == 3
    assert heard == ["ready", f"got {number.name}"]
    with pytest.raises(Interrupted):
        obey("here")


@pytest.mark.usefixtures("taken")
def test_a_signal_that_came_while_it_started_ends_it_too():
    with held():
        # Noted, as it is while the program starts: there is nobody yet to pass it on to.
        os.kill(os.getpid(), signal.SIGINT)
        assert has_signal()
        code = run_program(python("import time; time.sleep(300)"), lambda _: None)
    assert code == -signal.SIGTERM


@pytest.mark.usefixtures("taken")
def test_signals_reach_what_it_has_started_itself():
    heard = []
    grandchild = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SAY_WHICH!r}])"

    def hear(line):
        heard.append(line)
        if line == "ready":
            os.kill(os.getpid(), signal.SIGTERM)

    run_program(python(grandchild), hear)
    assert "got SIGTERM" in heard


def test_it_is_ended_where_whoever_hears_it_fails():
    numbers = []

    def hear(line):
        numbers.append(int(line))
        raise RuntimeError("enough")

    code = "import os, sys, time; print(os.getpid(), file=sys.stderr, flush=True); time.sleep(300)"
    with pytest.raises(RuntimeError, match="enough"):
        run_program(python(code), hear)
    deadline = time.monotonic() + 60
    while True:
        try:
            os.kill(numbers[0], 0)
        except ProcessLookupError:
            break
        assert time.monotonic() < deadline, "it is still running"


def test_a_program_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        run_program([str(tmp_path / "gone")], lambda _: None)
