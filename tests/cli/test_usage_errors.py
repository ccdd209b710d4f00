"""What is typed wrong is answered in three lines, with exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import read_error, run_cxr
from support.recipes import vectors
from support.runs import HEAVY, FinishedRuns


@pytest.mark.parametrize(
    ("arguments", "problem", "command"),
    [
        (["nosuch"], "No such command 'nosuch'.", ""),
        (["--nosuch"], "No such option: --nosuch", ""),
        (["evaluate", "run", "--nosuch"], "No such option: --nosuch", " evaluate"),
        (
            ["evaluate", "run", "--split", "all"],
            "Invalid value for '--split': 'all' is not one of 'train', 'val', 'test'.",
            " evaluate",
        ),
        (["evaluate"], "Missing argument 'RUN'.", " evaluate"),
        (["diff", "a"], "Missing argument 'RUN_B'.", " diff"),
        (
            ["repeat", "-n", "0", "--config", "x"],
            "Invalid value for '-n': 0 is not in the range 1<=x<=1000.",
            " repeat",
        ),
        (["data", "nosuch"], "No such command 'nosuch'.", " data"),
        (
            ["data", "synth", "x", "--train", "1"],
            "Invalid value for '--train': 1 is not in the range 4<=x<=100000.",
            " data synth",
        ),
        (
            ["serve", "x", "--decode-seconds", "inf"],
            "Invalid value for '--decode-seconds': inf is not in the range 0.1<=x<=86400.",
            " serve",
        ),
        (
            ["serve", "x", "--decode-seconds", "nan"],
            "Invalid value for '--decode-seconds': nan is not a number.",
            " serve",
        ),
    ],
)
def test_wrong_arguments(arguments: list[str], problem: str, command: str, tmp_path: Path):
    finished = run_cxr(*arguments, cwd=tmp_path, blocked=HEAVY)
    assert finished.stdout == ""
    program = f"python -m cxr{command}"
    assert read_error(finished, code=2) == (problem, program, f"{program} --help")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["accuracy", "accuracy=", "accuracy=x", "accuracy=-1", "auroc=nan", "auroc=inf"]
)
def test_a_tolerance_that_is_none(finished_run: FinishedRuns, text: str):
    run = finished_run(vectors()).directory
    problem, where, _ = read_error(run_cxr("diff", run, run, "--tolerance", text), code=2)
    assert (problem, where) == (f"not a tolerance: {text!r}", "--tolerance")


def test_a_tolerance_for_no_metric(finished_run: FinishedRuns):
    a, b = finished_run(vectors()), finished_run(vectors(seed=2))
    finished = run_cxr("diff", a.directory, b.directory, "--tolerance", "acuracy=1")
    problem, _, hint = read_error(finished, code=2)
    assert problem == "no metric is called 'acuracy'"
    assert hint.startswith("choose from accuracy, auroc; cxr diff --figures all has ")


def test_a_tolerance_for_no_metric_is_wrong_for_identical_runs_too(finished_run: FinishedRuns):
    run = finished_run(vectors()).directory
    finished = run_cxr("diff", run, run, "--tolerance", "acuracy=1")
    assert read_error(finished, code=2)[0] == "no metric is called 'acuracy'"


@pytest.mark.parametrize("command", ["verify", "evaluate"])
def test_a_directory_that_is_no_run(command: str, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    finished = run_cxr(command, tmp_path)
    assert read_error(finished, code=3) == (
        "not a run directory: it holds no manifest.json",
        str(tmp_path),
        "name a directory that cxr train wrote, such as one below runs/",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_directory_that_is_no_run_cannot_be_compared(finished_run: FinishedRuns, tmp_path: Path):
    run = finished_run(vectors()).directory
    for pair in ([run, tmp_path], [tmp_path, run], [run, tmp_path / "nowhere"]):
        problem, _, _ = read_error(run_cxr("diff", *pair, blocked=HEAVY), code=3)
        assert problem == "not a run directory: it holds no manifest.json"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the record is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "the record is not a JSON object"),
        ("{}", "the manifest has the schema None, which this version does not read"),
        (
            '{"schema": "cxr.manifest/9"}',
            "the manifest has the schema 'cxr.manifest/9', which this version does not read",
        ),
    ],
)
@pytest.mark.parametrize("command", ["verify", "diff"])
def test_a_manifest_that_is_none(command: str, content: str, problem: str, tmp_path: Path):
    (tmp_path / "manifest.json").write_text(content)
    runs = [tmp_path, tmp_path] if command == "diff" else [tmp_path]
    finished = run_cxr(command, *runs, blocked=HEAVY)
    assert read_error(finished, code=3)[:2] == (problem, str(tmp_path / "manifest.json"))


def test_config_and_resume_exclude_each_other():
    for arguments in ([], ["--config", "x", "--resume", "y"]):
        problem, where, _ = read_error(run_cxr("train", *arguments, blocked=HEAVY), code=2)
        assert (problem, where) == ("give --config, or --resume alone", "cxr train")
