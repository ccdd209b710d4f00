from __future__ import annotations

import re
import threading

import pytest
from typer.testing import CliRunner

from cxr.cli.app import app
from cxr.errors import ExitCode, RecordError
from cxr.serving.limits import MAX_TIME_S


def ask(name: str, value: str):
    """Start a service of no run: what it says of that comes after its options were read."""
    return CliRunner().invoke(app, ["serve", "nowhere", name, value])


def list_times() -> list[str]:
    said = CliRunner().invoke(app, ["serve", "--help"], terminal_width=200).output
    return sorted(set(re.findall(r"--[a-z-]+-seconds", said)))


def test_every_time_ends_within_a_day():
    names = list_times()
    assert len(names) == 6
    for name in names:
        for value in ("nan", "inf", "-inf", "1e308", str(MAX_TIME_S + 1), "9" * 400):
            answer = ask(name, value)
            assert answer.exit_code == ExitCode.USAGE, (name, value)
            assert f"Invalid value for '{name}'" in answer.output
        accepted = ask(name, str(MAX_TIME_S))
        assert isinstance(accepted.exception, RecordError), accepted.output


@pytest.mark.parametrize("limit_s", [MAX_TIME_S, float(MAX_TIME_S)])
def test_a_clock_can_count_a_day(limit_s: float):
    clock = threading.Timer(limit_s, pytest.fail)
    clock.start()
    clock.cancel()
    clock.join()
    assert limit_s < threading.TIMEOUT_MAX
