"""A repeat of any kind that was stopped ends, once it goes on, as one that never was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import read_answer, read_error, read_manifest, run_cxr
from support.recipes import vectors, write_recipe
from support.runs import FinishedRuns, Run

STRESSED = ("-n", "2", "--jobs", "2", "--stress")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "recipe.yaml", vectors())


@pytest.fixture(scope="module")
def other_base(finished_run: FinishedRuns) -> Run:
    """A run of the same recipe with other bits."""
    return finished_run(vectors(), fault="gradient-noise:3")


@pytest.mark.parametrize(
    "kind", [["--seeds", "1..2"], ["--vary", "workers=0"]], ids=["seeds", "vary"]
)
def test_what_was_interrupted_ends_in_the_same_record(
    config: Path, tmp_path: Path, kind: list[str]
):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    options = [*kind, "--config", config, "-q", "--out"]
    uninterrupted = run_cxr("repeat", *options, whole, "--jobs", "2")
    assert uninterrupted.returncode == 0, uninterrupted.stderr

    finished = run_cxr("repeat", *options, stopped, "--json", fault="in-run:2=stop-repeat:4")
    answer = json.loads(finished.stdout)
    assert answer["unfinished"] == {"run-2": "interrupted"}
    assert len(answer["outcome_digests"]) == 1
    assert not (stopped / "run-3").exists()
    where = f"cxr repeat, 1 of {answer['n']} runs completed"
    assert read_error(finished, code=130)[1] == where
    kept = (stopped / "run-1" / "manifest.json").read_bytes()

    resumed = run_cxr("repeat", "--resume", stopped, "-q")
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert (stopped / "repeat.json").read_bytes() == (whole / "repeat.json").read_bytes()
    # What differs is the place alone.
    assert resumed.stdout == uninterrupted.stdout.replace(str(whole), str(stopped))
    assert (stopped / "run-1" / "manifest.json").read_bytes() == kept
    [stop] = read_manifest(stopped / "run-2")["volatile"]["interruptions"]
    assert (stop["status"], stop["next_step"] > 0) == ("interrupted", True)
    assert run_cxr("verify", stopped).returncode == 0


def test_stressed_runs_are_held_against_a_base_through_a_stop(
    config: Path, tmp_path: Path, finished_run: FinishedRuns, other_base: Run
):
    base, out = finished_run(vectors()).directory, tmp_path / "out"
    options = [*STRESSED, "--config", config, "--against", base, "--out", out, "-q"]
    finished = run_cxr("repeat", *options, fault="in-run:2=killed-predicting")
    assert finished.returncode == 3, finished.stderr
    assert finished.stdout.splitlines()[:2] == [
        "incomplete: 1 of 2 runs completed",
        f"  not known whether the runs equal {base}: some did not complete",
    ]
    resume = ["repeat", "--resume", out, "-q"]
    assert "were to equal" in read_error(run_cxr(*resume), code=2)[0]
    told = read_error(run_cxr(*resume, "--against", other_base.directory), code=2)[0]
    assert told == "the runs were to equal another run, with another outcome"

    answer = read_answer(run_cxr(*resume, "--against", base, "--json"))
    assert (answer["verdict"], answer["against"]["equal"]) == ("zero-variance", True)
    assert list(answer["varied"]) == ["run-2"]


def test_a_difference_is_told_though_a_run_crashed(config: Path, tmp_path: Path, other_base: Run):
    base, out = other_base.directory, tmp_path / "out"
    options = [*STRESSED, "--config", config, "--against", base, "--out", out, "-q"]
    finished = run_cxr("repeat", *options, fault="in-run:2=crash:4")
    parted = f"NOT equal to {base}: first divergence: epoch 1, step 3, gradients"
    assert finished.returncode == 1, finished.stderr
    assert finished.stdout.startswith(f"different: 1 of 2 runs completed\n  {parted}")
    assert "  run-2: failed\n" in finished.stdout
    assert finished.stderr.endswith(f"go on with cxr repeat --resume {out}\n")
    record = json.loads((out / "repeat.json").read_bytes())
    assert (record["verdict"], record["against"]["equal"]) == ("different", False)
    assert run_cxr("verify", out).returncode == 0
