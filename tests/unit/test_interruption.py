from __future__ import annotations

import signal

import pytest

from cxr import interruption
from cxr.errors import ExitCode, Interrupted
from cxr.interruption import (
    InterruptibleProgress,
    blocked,
    ending,
    has_signal,
    held,
    obey,
    pass_on,
    take_signals,
)
from cxr.progress import SILENCE

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def taken(monkeypatch):
    """Signals of this process taken, and given back afterwards."""
    monkeypatch.setattr(interruption, "_state", interruption._State())
    before = {number: signal.getsignal(number) for number in STOPPING}
    for number in STOPPING:
        # Whoever started the tests may ignore one, as nohup does, and then it stays ignored.
        signal.signal(number, signal.SIG_DFL)
    take_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_noted_and_obeyed_at_the_next_progress(number):
    progress = InterruptibleProgress(SILENCE)
    with held():
        progress.advance("work", 1, 3)
        signal.raise_signal(number)
        assert has_signal()
        with pytest.raises(Interrupted, match=f"stopped by {number.name}") as caught:
            progress.advance("work", 2, 3)
    assert caught.value.where == "work, 2 of 3 done"
    assert caught.value.exit_code is ExitCode.INTERRUPTED


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("train", "start again; cxr train --resume RUN goes on with a run"),
        ("repeat", "start again; cxr repeat --resume DIR goes on with a series"),
        ("export", "start again"),
    ],
)
def test_only_what_can_go_on_is_said_to(monkeypatch, command, hint):
    monkeypatch.setattr("sys.argv", ["/bin/cxr", command, "RUN"])
    with held():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted) as caught:
            obey("here")
    assert caught.value.hint == hint


@pytest.mark.usefixtures("taken")
def test_a_second_signal_is_not_waited_for():
    with held():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted, match="stopped by SIGINT"):
            obey("the first one is named")


@pytest.mark.usefixtures("taken")
def test_what_says_how_it_ended_is_not_broken_off():
    with held():
        with ending():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            assert has_signal()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("taken")
def test_each_signal_is_passed_on_and_none_stops_the_waiting():
    received = []
    with held():
        pass_on(received.append)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pass_on(None)
    assert received == [signal.SIGINT, signal.SIGINT]


@pytest.mark.usefixtures("taken")
def test_a_signal_waits_until_it_is_no_longer_blocked():
    with held():
        with blocked():
            signal.raise_signal(signal.SIGINT)
            assert not has_signal()
        assert has_signal()


def test_without_a_signal_nothing_stops():
    obey("here")


def test_a_signal_that_is_ignored_stays_ignored(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(interruption, "_SIGNALS", (signal.SIGHUP,))
    try:
        take_signals()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(("command", "resumed"), [("train", True), ("run", False), (None, False)])
def test_only_a_command_that_trains_is_told_how_a_run_goes_on(monkeypatch, command, resumed):
    monkeypatch.setattr("sys.argv", ["cxr", command] if command else ["cxr"])
    with held():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted) as caught:
            obey("anywhere")
    assert ("--resume RUN" in caught.value.hint) is resumed
