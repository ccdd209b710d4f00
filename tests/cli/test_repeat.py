"""``cxr repeat``: zero variance, or where the runs part, and how much evidence that is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from support.program import (
    DEADLINE_S,
    Finished,
    read_answer,
    read_error,
    run_cxr,
    started_cxr,
    wait_until,
)
from support.recipes import vectors, write_recipe
from support.runs import FinishedRuns, diff

KEYS = {"n", "verdict", "determinism", "runs", "outcome_digests", "excluded_rate", "metrics"}


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished[str]]:
    """Two runs of one recipe."""
    place = tmp_path_factory.mktemp("repeated")
    config = write_recipe(place / "recipe.yaml", vectors())
    options = ["-n", "2", "--config", config, "--out", "out", "--json"]
    return place, run_cxr("repeat", *options, cwd=place)


def test_equal_runs_have_zero_variance(
    repeated: tuple[Path, Finished[str]], finished_run: FinishedRuns
):
    place, finished = repeated
    answer = read_answer(finished)
    assert finished.returncode == 0, finished.stderr
    assert answer.keys() >= KEYS
    assert (answer["n"], answer["verdict"]) == (2, "zero-variance")
    assert answer["outcome_digests"] == [finished_run(vectors()).digests[0]] * 2
    assert [Path(run).name for run in answer["runs"]] == ["run-1", "run-2"]
    for run in answer["runs"]:
        assert (place / run / "manifest.json").is_file()
    assert answer["metrics"]["loss"]["std"] == 0.0
    assert answer["metrics"]["loss"].keys() == {"mean", "std", "min", "max"}


def test_two_equal_runs_are_little_evidence(repeated: tuple[Path, Finished[str]]):
    # Above 1 - 0.05^(1/(n-1)): the bound is the contract's, not the program's.
    assert read_answer(repeated[1])["excluded_rate"] == pytest.approx(0.95, abs=1e-12)


def test_the_record_holds_the_same_as_the_answer(repeated: tuple[Path, Finished[str]]):
    place, finished = repeated
    record = json.loads((place / "out" / "repeat.json").read_bytes())
    answer = read_answer(finished)
    assert record["runs"] == ["run-1", "run-2"]
    assert {key: record[key] for key in KEYS - {"runs", "determinism"}} == {
        key: answer[key] for key in KEYS - {"runs", "determinism"}
    }


def test_progress_of_every_run_goes_to_stderr(repeated: tuple[Path, Finished[str]]):
    lines = [line.split("  ")[0] for line in repeated[1].stderr.splitlines()]
    epochs = ["epoch 1/2", "epoch 2/2"]
    assert lines == ["run 1 of 2", *epochs, "run 2 of 2", *epochs]


def test_the_runs_are_runs_of_their_own(
    repeated: tuple[Path, Finished[str]], finished_run: FinishedRuns
):
    run = repeated[0] / "out" / "run-2"
    assert run_cxr("verify", run).returncode == 0
    assert diff(run, finished_run(vectors()))[0] == 0


def test_a_planted_variance_is_found_and_its_first_step_shown(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    finished = run_cxr(
        "repeat",
        "-n",
        "2",
        "--config",
        config,
        "--out",
        tmp_path / "out",
        "-q",
        fault="other-seed-in-run-2",
    )
    assert (finished.returncode, finished.stderr) == (1, "")
    lines = finished.stdout.splitlines()
    assert lines[0] == "variance: 2 of 2 runs completed"
    assert "run 1 against run 2:" in lines
    assert "first divergence: the initial state, random (python)" in lines
    assert "config   seed    1   2   yes" in [line.rstrip() for line in lines]
    record = json.loads((tmp_path / "out" / "repeat.json").read_bytes())
    assert (record["verdict"], record["excluded_rate"]) == ("variance", None)
    assert len(set(record["outcome_digests"])) == 2
    assert record["metrics"]["loss"]["std"] > 0


def test_a_recipe_that_cannot_begin_is_refused_once_and_leaves_nothing(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors(train__batch_size=61))
    finished = run_cxr("repeat", "--config", config, "--out", tmp_path / "out", "--json", "-q")
    problem, _, _ = read_error(finished, code=2)
    assert problem == "60 training samples are fewer than a batch of 61"
    assert finished.stdout == ""
    assert not (tmp_path / "out").exists()


def test_a_directory_that_holds_something_is_left_untouched(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    finished = run_cxr("repeat", "--config", config, "--out", tmp_path)
    assert read_error(finished, code=2)[1] == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


@pytest.mark.parametrize(
    "numbers",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]],
    ids=["SIGINT", "SIGTERM", "SIGINT twice"],
)
@pytest.mark.parametrize("whom", ["the terminal's whole group", "the program alone"])
def test_stopping_stops_the_runs_that_are_under_way(
    tmp_path: Path, whom: str, numbers: list[signal.Signals]
):
    out = tmp_path / "out"
    config = write_recipe(tmp_path / "recipe.yaml", vectors(train__epochs=100_000))
    options = ["-n", "3", "--jobs", "2", "--config", config, "--out", out, "--json", "-q"]
    with started_cxr("repeat", *options, start_new_session=True) as process:
        try:
            wait_until(lambda: has_steps(out / "run-1") and has_steps(out / "run-2"), process)
            for number in numbers:
                if whom == "the program alone":
                    process.send_signal(number)
                else:
                    os.killpg(process.pid, number)
            code = process.wait(timeout=DEADLINE_S)
        finally:
            end_group(process.pid)
        stdout, stderr = process.communicate()
    finished = Finished([], code, stdout, stderr)
    problem, where, hint = read_error(finished, code=130)
    assert problem == f"stopped by {numbers[0].name}"
    assert where == "cxr repeat, 0 of 3 runs completed"
    assert hint == f"go on with cxr repeat --resume {out}"
    answer = json.loads(stdout)
    assert (answer["verdict"], answer["outcome_digests"]) == ("incomplete", [])
    assert answer["excluded_rate"] is None
    assert answer["unfinished"] == {"run-1": "interrupted", "run-2": "interrupted"}
    assert not (out / "run-3").exists()
    verified = run_cxr("verify", out)
    assert verified.returncode == 0, verified.stdout


def test_stopping_before_the_first_step_is_answered(tmp_path: Path):
    out = tmp_path / "out"
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    options = ["--config", config, "--out", out, "--json", "-q"]
    finished = run_cxr("repeat", *options, fault="signal-as-run-starts")
    assert read_answer(finished)["verdict"] == "incomplete"
    assert read_error(finished, code=130)[0] == "stopped by SIGINT"
    assert sorted(path.name for path in out.iterdir()) == ["config.yaml", "repeat.json"]


def test_runs_are_not_orphaned_by_a_repeat_that_is_killed(tmp_path: Path):
    out = tmp_path / "out"
    config = write_recipe(tmp_path / "recipe.yaml", vectors(train__epochs=100_000))
    with started_cxr("repeat", "--config", config, "--out", out, "-q") as process:
        wait_until(lambda: has_steps(out / "run-1"), process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
        process.wait(timeout=DEADLINE_S)
        deadline = time.monotonic() + DEADLINE_S
        while any(Path(f"/proc/{child}").exists() for child in children):
            assert time.monotonic() < deadline, "a run was orphaned"
            time.sleep(0.05)
    assert len(children) == 1
    manifest = json.loads((out / "run-1" / "manifest.json").read_bytes())
    assert manifest["status"] == "interrupted"


# What is not whole, and going on with it


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished[str]]:
    """Three runs, of which the second was killed."""
    place = tmp_path_factory.mktemp("broken")
    config = write_recipe(place / "recipe.yaml", vectors())
    options = ["-n", "3", "--jobs", "2", "--config", config, "--out", "out", "--json", "-q"]
    fault = "in-run:2=killed-renaming:step-000000006.json"
    return place / "out", run_cxr("repeat", *options, cwd=place, fault=fault)


def test_a_run_that_is_killed_leaves_the_others_and_is_named(broken: tuple[Path, Finished[str]]):
    out, finished = broken
    answer = read_answer(finished)
    assert finished.returncode == 3
    assert finished.stderr == ("run-2 killed (SIGKILL)\ngo on with cxr repeat --resume out\n")
    assert (answer["verdict"], len(answer["outcome_digests"])) == ("incomplete", 2)
    assert answer["unfinished"] == {"run-2": "running"}
    assert json.loads((out / "repeat.json").read_bytes())["unfinished"] == answer["unfinished"]


def test_going_on_ends_as_if_nothing_had_happened(
    broken: tuple[Path, Finished[str]], finished_run: FinishedRuns, tmp_path: Path
):
    out = shutil.copytree(broken[0], tmp_path / "out")
    kept = (out / "run-1" / "manifest.json").read_bytes()
    failed = run_cxr("repeat", "--resume", out, "-q", fault="in-run:2=crash:4")
    assert failed.returncode == 3
    assert failed.stdout.startswith("incomplete: 2 of 3 runs completed\n  run-2: failed\n")
    assert failed.stderr.startswith("run-2 failed, exit 3\n  error: ")
    assert "RuntimeError: the planted library gave up" in failed.stderr
    finished = run_cxr("repeat", "--resume", out, "--json")
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"], answer["n"]) == (0, "zero-variance", 3)
    assert answer["outcome_digests"] == [finished_run(vectors()).digests[0]] * 3
    assert "unfinished" not in answer
    assert (out / "run-1" / "manifest.json").read_bytes() == kept
    assert run_cxr("verify", out).returncode == 0
    again = run_cxr("repeat", "--resume", out, "--json")
    assert read_answer(again) == answer
    assert again.stderr == ""


@pytest.mark.parametrize(
    "options", [["-n", "4"], ["--stress"], ["--set", "seed=3"], ["--out", "other"]]
)
def test_what_the_record_says_is_not_said_again(
    broken: tuple[Path, Finished[str]], options: list[str]
):
    finished = run_cxr("repeat", "--resume", broken[0], *options)
    assert "from the record" in read_error(finished, code=2)[0]


def test_a_repeat_begins_with_a_config_or_goes_on():
    found = read_error(run_cxr("repeat", "-n", "2"), code=2)
    assert found[:2] == ("give --config, or --resume alone", "cxr repeat")


def test_bits_do_not_depend_on_how_many_run_at_a_time(
    broken: tuple[Path, Finished[str]], finished_run: FinishedRuns
):
    answer = read_answer(broken[1])
    assert answer["outcome_digests"] == [finished_run(vectors()).digests[0]] * 2


def test_more_threads_than_cores_are_warned_of(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors(train__batch_size=61))
    options = ["--jobs", "1000", "--config", config, "--out", tmp_path / "out", "-q"]
    finished = run_cxr("repeat", "-n", "2", *options)
    assert finished.stderr.startswith("warning: 1000 runs at a time with 1 threads each on ")
    assert "fewer than a batch" in read_error(finished, code=2)[0]
    assert not (tmp_path / "out").exists()


def has_steps(run: Path) -> bool:
    ledger = run / "ledger.jsonl"
    return ledger.exists() and ledger.read_bytes().count(b"\n") > 3


def end_group(number: int) -> None:
    """End what is left of a process group that a test made."""
    try:
        os.killpg(number, signal.SIGKILL)
    except ProcessLookupError:
        return
