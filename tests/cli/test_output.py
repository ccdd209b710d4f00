"""Terminals of any width, pipes that close, disks that are full: never a traceback."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.program import (
    build_command,
    build_environment,
    read_error,
    read_manifest,
    run_cxr,
)
from support.recipes import vectors, write_recipe
from support.runs import FinishedRuns, copy_run, edit_facts

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-9]|4[0-9]|9[0-7])[;m]")
COMMANDS = [
    ["--help"],
    ["train", "--help"],
    ["env", "capture"],
    ["env", "capture", "--json"],
    ["verify", "A"],
    ["diff", "A", "B"],
    ["diff", "A", "B", "--json"],
    ["data", "verify", "IMAGES", "--full"],
]


@pytest.fixture
def places(finished_run: FinishedRuns, radiographs: Path) -> dict[str, str]:
    return {
        "A": str(finished_run(vectors()).directory),
        "B": str(finished_run(vectors(train__lr=2e-3)).directory),
        "IMAGES": str(radiographs),
    }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_pipe_that_closes_is_no_fault(command: list[str], places: dict[str, str]):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        finished = run_cxr(*(places.get(word, word) for word in command), stdout=writing)
    finally:
        os.close(writing)
    stderr = finished.stderr.replace("looking at images: 28\n", "")
    assert stderr == ""
    # Never 1, which says that something differs.
    assert finished.returncode == 3


@pytest.mark.parametrize(
    "command", [["--help"], ["diff", "A", "B"], ["diff", "A", "B", "--json"]], ids=" ".join
)
def test_an_answer_that_cannot_be_written_is_an_error(
    command: list[str], places: dict[str, str], tmp_path: Path
):
    with (tmp_path / "answer").open("w") as answer:
        finished = run_cxr(
            *(places.get(word, word) for word in command),
            stdout=answer.fileno(),
            fault="small-files:0",
        )
    assert "Exception ignored" not in finished.stderr, finished.stderr
    finished.stderr = finished.stderr.replace("looking at images: 28\n", "")
    assert "File too large" in read_error(finished, code=3)[0]


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_fault(closed: str, tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    run = tmp_path / "run"
    trained = run_in_shell(["train", "--config", str(config), "--out", str(run)], closed)
    assert (trained.returncode, "Traceback" in trained.stderr) == (0, False), trained.stderr
    # Nothing that was printed went into a file of the record.
    assert run_cxr("verify", run).returncode == 0
    for command, code in ((["diff", str(run), str(run)], 0), (["verify", str(tmp_path)], 3)):
        finished = run_in_shell(command, closed)
        assert finished.returncode == code
        assert "Traceback" not in finished.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_error_that_cannot_be_written_keeps_its_code(tmp_path: Path):
    assert run_in_shell(["verify", str(tmp_path)], "2>/dev/full").returncode == 3
    assert run_in_shell(["nosuch"], "2>/dev/full").returncode == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_no_file_takes_the_number_of_a_stream_that_is_closed(closed: str, tmp_path: Path):
    seen = tmp_path / "seen"
    number = 1 if closed == ">&-" else 2
    look = f"readlink /proc/$PPID/fd/{number} >{seen}"
    ran = run_in_shell(["run", "--record", str(tmp_path / "run"), "--", "sh", "-c", look], closed)
    assert (ran.returncode, seen.read_text()) == (0, "/dev/null\n"), ran.stderr


@pytest.mark.parametrize("unread", ["2>/dev/full", "2>&1 >OUT | true"], ids=["full", "pipe"])
def test_a_training_does_not_end_because_nobody_reads_how_it_goes(unread: str, tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    run = tmp_path / "run"
    shown = unread.replace("OUT", str(tmp_path / "out"))
    trained = run_in_shell(["train", "--config", str(config), "--out", str(run)], shown)
    assert trained.returncode == 0, trained.stderr
    assert read_manifest(run)["status"] == "completed"


@pytest.mark.parametrize("columns", [40, 10])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_narrow_terminal_is_no_fault(command: list[str], columns: int, places: dict[str, str]):
    code, shown = run_on_terminal(command, places, columns=columns)
    assert code in (0, 1), shown
    assert "Traceback" not in shown
    assert "error: " not in shown


def test_a_table_fits_its_terminal(places: dict[str, str]):
    for columns in (80, 40):
        _, shown = run_on_terminal(["diff", "A", "B"], places, columns=columns)
        rules = [line for line in plain_lines(shown) if line.startswith("──")]
        assert len(rules) == 2
        assert max(map(len, rules)) <= columns


@pytest.mark.parametrize(
    ("told", "columns"),
    [
        (None, 80),
        ("120", 120),
        ("44", 44),
        ("0", 80),
        ("9" * 5000, 80),
        ("²", 80),
    ],
    ids=lambda value: str(value)[:8],
)
def test_a_table_in_a_pipe_has_as_many_columns_as_the_user_says(
    told: str | None, columns: int, tmp_path: Path
):
    # One row that fills whatever there is.
    (tmp_path / f"{'long-name-' * 24}.png").write_bytes(b"none")
    finished = run_cxr("data", "verify", tmp_path, env={} if told is None else {"COLUMNS": told})
    rules = [line for line in finished.stdout.splitlines() if line.startswith("──")]
    assert max(map(len, rules)) == columns, finished.stdout


def test_a_size_that_is_no_number_is_no_fault_on_a_terminal(places: dict[str, str]):
    # A digit that isdigit() takes and int() does not; and one with more digits than int() reads.
    sizes = {"COLUMNS": "²", "LINES": "9" * 5000}
    code, shown = run_on_terminal(["data", "verify", "IMAGES", "--full"], places, variables=sizes)
    assert code == 0, shown
    assert "error: " not in shown


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_colours_can_be_turned_off(variables: dict[str, str], places: dict[str, str]):
    for command in (["diff", "A", "B"], ["data", "verify", "IMAGES"]):
        _, shown = run_on_terminal(command, places, variables=variables)
        assert COLOUR.findall(shown) == []


def test_a_terminal_shows_a_bar_that_goes_away(places: dict[str, str]):
    code, shown = run_on_terminal(["data", "verify", "IMAGES", "--full"], places)
    assert code == 0
    assert "looking at images" in shown
    assert COLOUR.findall(shown) != []
    lines = plain_lines(shown)
    [verdict] = [number for number, line in enumerate(lines) if line.startswith("verified: 28")]
    assert not any("looking at images" in line for line in lines[verdict:])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_of_another_encoding_is_no_fault(encoding: str, places: dict[str, str]):
    finished = run_cxr("diff", places["A"], places["B"], env={"PYTHONIOENCODING": encoding})
    assert "bug" not in finished.stderr, finished.stderr
    assert finished.returncode == 1
    assert "train.lr" in finished.stdout


def test_a_value_that_is_too_long_is_no_fault_in_another_encoding(
    finished_run: FinishedRuns, tmp_path: Path
):
    usual = finished_run(vectors())
    other = copy_run(usual, tmp_path / "other")
    name = "A processor whose name does not fit into a column"
    edit_facts(other, lambda facts: facts["cpu"].update(model=name))
    finished = run_cxr("diff", usual.directory, other, env={"PYTHONIOENCODING": "ascii"})
    assert "bug" not in finished.stderr, finished.stderr
    assert finished.returncode == 0
    assert "cpu.model" in finished.stdout


def run_in_shell(command: list[str], redirected: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose streams a shell redirects."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *build_command(*command)],
        capture_output=True,
        text=True,
        env=build_environment(),
        check=False,
    )


def run_on_terminal(
    command: list[str],
    places: dict[str, str],
    *,
    columns: int = 80,
    variables: dict[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command whose stdout and stderr are a terminal; return its code and all it shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        build_command(*(places.get(word, word) for word in command)),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=build_environment({"TERM": "xterm-256color", **(variables or {})}),
    ) as process:
        os.close(theirs)
        shown = b"".join(read_terminal(ours))
    os.close(ours)
    return process.returncode, shown.decode("utf-8").replace("\r\n", "\n")


def read_terminal(ours: int) -> Iterator[bytes]:
    """Yield what is written to a terminal until its last writer goes."""
    while True:
        try:
            block = os.read(ours, 65_536)
        except OSError:
            # Linux says so when the other side is closed.
            return
        if not block:
            return
        yield block


def plain_lines(shown: str) -> list[str]:
    """Return what is left on the lines of a terminal, without trailing space."""
    kept = [line.rpartition("\r")[2] for line in shown.splitlines()]
    return [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line).rstrip() for line in kept]
