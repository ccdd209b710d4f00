"""``cxr run``: any command, its streams and its end as they are, and a record of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cxr.records.manifest import write_manifest
from support.program import (
    build_command,
    build_environment,
    read_answer,
    read_error,
    run_cxr,
    started_cxr,
    wait_until,
)
from support.runs import HEAVY

SECRET = "hf_abcdefghijklmnopqrstuvwxyz"  # noqa: S105 - made up

FIT = """
import os, sys
rows = open("d.csv").read()
open("fit.json", "w").write(rows + os.environ.get("SALT", ""))
print(len(rows))
"""


@pytest.fixture
def work(tmp_path) -> Path:
    """A working directory with a script and its data."""
    (tmp_path / "d.csv").write_text("1,2\n")
    (tmp_path / "fit.py").write_text(FIT)
    return tmp_path


def run(work: Path, name: str, *options: str, command=("fit.py",), **more):
    declared = ["--record", f"r/{name}", *options]
    return run_cxr("run", *declared, "--", sys.executable, *command, cwd=work, **more)


def read_manifest(work: Path, name: str) -> dict:
    return json.loads((work / "r" / name / "manifest.json").read_bytes())


def test_a_command_repeats_and_its_record_says_what_it_was_given(work):
    declared = ["--in", "*.csv", "--out", "fit.json", "--name", "fit"]
    for name in ("a", "b"):
        finished = run(work, name, *declared, blocked=HEAVY)
        assert (finished.returncode, finished.stdout) == (0, "4\n")
        assert finished.stderr == f"completed: r/{name}, 2 inputs, 1 output\n"
    finished = run_cxr("diff", "r/a", "r/b", "--json", cwd=work, blocked=HEAVY)
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"], answer["outputs"]) == (0, "identical", [])
    assert run_cxr("verify", "r/a", cwd=work, blocked=HEAVY).returncode == 0
    manifest = read_manifest(work, "a")
    # The script is an input although nobody declared it: the command's words name it.
    assert set(manifest["inputs"]) == {"d.csv", "fit.py"}
    assert (manifest["name"], manifest["outcome"]["exit_status"]) == ("fit", 0)
    assert manifest["outputs_before"] == {}


def test_what_differs_is_named_among_inputs_words_and_outputs(work):
    declared = ["--in", "*.csv", "--out", "fit.json"]
    run(work, "a", *declared)
    (work / "d.csv").write_text("1,3\n")
    run(work, "b", *declared, command=("fit.py", "--fast"))
    finished = run_cxr("diff", "r/a", "r/b", "--json", cwd=work)
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (1, "different")
    assert [one["path"] for one in answer["outputs"]] == ["fit.json"]
    found = {(one["part"], one["field"], one["b"]) for one in answer["differences"]}
    assert ("config", "command[2]", "--fast") in found
    data = {field for part, field, _ in found if part == "data"}
    # The second command found what the first one left.
    assert data == {"d.csv", "before: fit.json"}
    assert "output differs: fit.json" in run_cxr("diff", "r/a", "r/b", cwd=work).stdout


def test_an_output_that_differs_without_a_reason_is_called_so(work):
    for name, salt in (("a", "1"), ("b", "2")):
        (work / "fit.json").unlink(missing_ok=True)
        run(work, name, "--out", "fit.json", env={"SALT": salt})
    shown = run_cxr("diff", "r/a", "r/b", cwd=work)
    assert shown.returncode == 1
    assert "nothing that was recorded went in differently" in shown.stdout


def test_an_output_that_was_there_before_is_named_as_data(work):
    code = "open('log', 'a').write('x')"
    for name in ("a", "b"):
        run(work, name, "--out", "log", command=("-c", code))
    shown = run_cxr("diff", "r/a", "r/b", cwd=work)
    assert shown.returncode == 1
    assert "before: log" in shown.stdout
    assert "nothing that was recorded" not in shown.stdout


def test_without_declared_outputs_there_is_nothing_to_compare(work):
    for name in ("a", "b"):
        run(work, name)
    problem, _, do = read_error(run_cxr("diff", "r/a", "r/b", cwd=work), code=3)
    assert "nothing to compare" in problem
    assert "--out" in do


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("failed", "it failed before its outputs were recorded"),
        ("interrupted", "it was interrupted"),
        ("running", "it never ended"),
    ],
)
def test_why_a_command_has_no_outcome_is_said_as_it_is(work, status, why):
    # It promised a file that it does not write.
    assert run(work, "a", "--out", "other.json").returncode == 3
    write_manifest(work / "r" / "a", {**read_manifest(work, "a"), "status": status})
    problem, where, _ = read_error(run_cxr("diff", "r/a", "r/a", cwd=work), code=3)
    assert problem == f"the command has no outcome: {why}"
    assert where.endswith(f"r/a, status {status}")


@pytest.mark.parametrize(("code", "wanted"), [("raise SystemExit(7)", 7), (None, 137)])
def test_the_exit_code_is_the_commands_own(work, code, wanted):
    finished = run(work, "a", command=("-c", code or "import os; os.kill(os.getpid(), 9)"))
    assert finished.returncode == wanted
    manifest = read_manifest(work, "a")
    assert (manifest["status"], manifest["outcome"]["exit_status"]) == (
        "failed",
        -9 if code is None else 7,
    )
    assert run_cxr("verify", "r/a", cwd=work).returncode == 0


def test_its_streams_and_variables_pass_through_untouched(work):
    code = (
        "import os, sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1]);"
        "sys.stderr.write(str(os.environ.get('PYTHONHASHSEED')) + os.environ['OMP_NESTED'])"
    )
    finished = subprocess.run(
        build_command("run", "-q", "--record", "r/a", "--", sys.executable, "-c", code),
        input=b"\x00\xff\r\n",
        capture_output=True,
        env=build_environment({"OMP_NESTED": "TRUE"}),
        cwd=work,
        check=False,
    )
    # What cxr sets and removes for its own trainings is not done to others.
    assert (finished.returncode, finished.stdout, finished.stderr) == (
        0,
        b"\n\r\xff\x00",
        b"NoneTRUE",
    )


def test_with_json_the_commands_stdout_goes_to_stderr(work):
    finished = run(work, "a", "--json", "--out", "fit.json")
    answer = read_answer(finished)
    assert (answer["status"], answer["outcome"]["exit_status"]) == ("completed", 0)
    assert set(answer["outputs"]) == {"fit.json"}
    assert finished.stderr == "4\n"


def test_options_behind_the_program_are_the_programs(work):
    finished = run_cxr("run", "--record", "r/a", "-q", "echo", "--help", "--in", "$HOME", cwd=work)
    assert finished.stdout == "--help --in $HOME\n"


@pytest.mark.parametrize(
    "code",
    ["open('d.csv', 'a').write('x')", "open('new.csv', 'w')", "__import__('os').remove('d.csv')"],
)
def test_an_input_that_changes_meanwhile_is_an_error(work, code):
    finished = run(work, "a", "--in", "*.csv", command=("-c", code))
    problem, where, _ = read_error(finished, code=3)
    assert problem == "an input changed while the command ran"
    assert where in ("d.csv", "new.csv")
    manifest = read_manifest(work, "a")
    assert (manifest["status"], manifest["failure"]["problem"]) == ("failed", problem)
    assert "outcome" not in manifest
    assert run_cxr("verify", "r/a", cwd=work).returncode == 0


def test_code_that_changes_meanwhile_is_an_error_unless_it_is_an_output(work):
    identity = ("-c", "user.name=Somebody", "-c", "user.email=s@example.org")
    (work / "library.py").write_text("x = 1")
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        git = ["git", *words]
        subprocess.run(git, cwd=work, check=True, env=build_environment())
    # No word names it: only the checkout knows.
    command = ("-c", "open('lib' + 'rary.py', 'a').write('2')")
    problem, _, do = read_error(run(work, "a", command=command), code=3)
    assert problem == "the code changed while the command ran"
    assert "--out" in do
    assert "outcome" not in read_manifest(work, "a")
    assert run(work, "b", "--out", "library.py", command=command).returncode == 0


def test_what_is_declared_as_output_may_change_though_a_glob_of_inputs_matches_it(work):
    (work / "fit.json").write_text("old")
    assert run(work, "a", "--in", "*", "--out", "fit.json").returncode == 0
    manifest = read_manifest(work, "a")
    assert set(manifest["inputs"]) == {"d.csv", "fit.py"}
    before, after = manifest["outputs_before"]["fit.json"], manifest["outputs"]["fit.json"]
    assert before["bytes"] != after["bytes"]


def test_an_output_that_is_not_left_is_an_error(work):
    finished = run(work, "a", "--out", "other.json")
    assert read_error(finished, code=3)[1] == "other.json"
    assert read_manifest(work, "a")["status"] == "failed"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--in", "none.csv"], "no file matches"),
        (["--in", "../d.csv"], "outside the working directory"),
        (["--out", "/etc/passwd"], "outside the working directory"),
        (["--name", "../../zz"], "no name for a record"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(work, options, told):
    finished = run(work, "a", *options)
    assert told in read_error(finished, code=2)[0]
    assert not (work / "fit.json").exists()
    assert not (work / "r").exists()


def test_a_record_that_is_there_is_left_alone_and_the_hint_names_the_option(work):
    (work / "r" / "a").mkdir(parents=True)
    (work / "r" / "a" / "mine").write_text("x")
    problem, _, do = read_error(run(work, "a"), code=2)
    assert problem == "the directory of the record already exists and is not empty"
    assert do.startswith("name another directory with --record")
    assert [path.name for path in (work / "r" / "a").iterdir()] == ["mine"]


def test_a_record_that_cannot_be_written_names_the_option_too(work):
    (work / "r").touch()
    finished = run(work, "a")
    problem, _, hint = read_error(finished, code=3)
    assert problem == "cannot write: Not a directory"
    assert "--record" in hint
    assert "--out" not in hint


def test_no_secret_of_the_command_line_or_the_environment_reaches_the_record(work):
    variables = {"OMP_TOKEN": SECRET, "HF_TOKEN": SECRET, "OMP_PLACES": "cores"}
    words = ("fit.py", "--token", "mild", f"--x={SECRET}", "/root/private/x.txt")
    assert run(work, "a", command=words, env=variables).returncode == 0
    record = work / "r" / "a"
    content = b"".join(file.read_bytes() for file in record.iterdir())
    for private in (SECRET, "mild", "private", str(work)):
        assert private.encode() not in content
    capture = json.loads((record / "env.json").read_bytes())
    assert capture["variables"]["OMP_PLACES"] == "cores"
    assert "OMP_TOKEN" not in capture["variables"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on_and_the_record_is_interrupted(work, number):
    code = "import time; open('begun', 'w').close(); time.sleep(600)"
    words = ["run", "--record", work / "r", "--", sys.executable, "-c", code]
    with started_cxr(*words, cwd=work) as process:
        wait_until((work / "begun").exists, process)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "error: the command was interrupted" in stderr
    manifest = json.loads((work / "r" / "manifest.json").read_bytes())
    assert (manifest["status"], manifest["exit_status"] != 0) == ("interrupted", True)
    assert run_cxr("verify", work / "r").returncode == 0


COUNTING = """
import os, signal, sys, time
came = []
signal.signal(signal.SIGINT, lambda *_: came.append(1))
line = sys.stdin.readline()
with open("parent", "w") as stream:
    stream.write(str(os.getppid()))
os.rename("parent", "begun")
until = time.monotonic() + 60
while not came and time.monotonic() < until:
    time.sleep(0.05)
time.sleep(2)
with open("count", "w") as stream:
    stream.write(f"{line.strip()} {len(came)}")
"""
"""Reads a line, waits for SIGINT, and tells how many came within two seconds."""


@contextmanager
def counting_at_terminal(work: Path) -> Iterator[subprocess.Popen[str]]:
    """Run that program through cxr at a terminal; type a line, and wait until it is read."""
    words = build_command("run", "--record", "r", "--", sys.executable, "-c", COUNTING)
    terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    with subprocess.Popen(
        [sys.executable, "-c", terminal, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=build_environment(),
        cwd=work,
        text=True,
    ) as process:
        process.stdin.write("typed\n")
        process.stdin.flush()
        try:
            wait_until((work / "begun").exists, process)
            yield process
        finally:
            process.kill()


def test_at_a_terminal_the_command_can_be_typed_to_and_interrupted(work):
    with counting_at_terminal(work) as process:
        # What the key sends: the terminal makes a signal of it, for all processes in front.
        process.stdin.write("\x03")
        process.stdin.flush()
        assert process.wait(timeout=60) == 130
    assert (work / "count").read_text() == "typed 1"


def test_at_a_terminal_only_a_second_interrupt_is_passed_on(work):
    with counting_at_terminal(work) as process:
        parent = int((work / "begun").read_text())
        # Two that no terminal made: were both passed on, the command would count two.
        os.kill(parent, signal.SIGINT)
        time.sleep(0.5)
        os.kill(parent, signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert (work / "count").read_text() == "typed 1"


def test_an_edited_record_is_named(work):
    run(work, "a", "--out", "fit.json")
    manifest = read_manifest(work, "a")
    for change, told in (
        ({"outputs": {}}, "outputs_digest"),
        ({"inputs": {}}, "inputs_digest"),
        ({"command": {"arguments": ["true"], "program": {}}}, "command_digest"),
    ):
        write_manifest(work / "r" / "a", {**manifest, **change})
        finished = run_cxr("verify", "r/a", cwd=work)
        assert finished.returncode == 1
        assert told in finished.stdout
