"""A run that was killed, at whatever moment, goes on to the bits of one that never was."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from support.program import read_error, run_cxr, started_cxr, wait_until
from support.recipes import vectors, write_recipe
from support.resuming import kill, require_same_as_never_stopped, resume_run
from support.runs import FinishedRuns

ENDLESS = 100_000

MOMENTS = {
    "inside a ledger line": "killed-inside:ledger.jsonl*5",
    "inside a row of tensors": "killed-inside:tensors.bin*5",
    "inside the figures of an epoch": "killed-inside:metrics.jsonl*2",
    "at an epoch's end, before the checkpoint": "killed-opening:step-000000003.safetensors",
    "inside a checkpoint's tensors": "killed-inside:step-000000003.safetensors",
    "when a checkpoint's tensors are to take their name": (
        "killed-renaming:step-000000006.safetensors"
    ),
    "between a checkpoint's tensors and its JSON": "killed-opening:step-000000003.json",
    "when a checkpoint's JSON is to take its name": "killed-renaming:step-000000006.json",
    "in the final prediction": "killed-predicting",
    "after the predictions, before their ledger line": "killed-inside:ledger.jsonl*8",
    "after the predictions, before the manifest": "killed-opening:manifest.json*2",
    "inside the last manifest": "killed-inside:manifest.json*2",
}
"""Faults by moment; the recipe has six steps and a checkpoint after each three."""


@pytest.mark.parametrize("fault", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_run_that_was_killed_goes_on_to_the_same_bits(
    finished_run: FinishedRuns, tmp_path: Path, fault: str
):
    killed = kill(tmp_path, fault)
    problem, _, hint = read_error(run_cxr("verify", killed), code=3)
    assert problem.startswith("the run never ended")
    assert "cxr train --resume" in hint
    require_same_as_never_stopped(killed, finished_run(vectors()))
    require_nothing_half_written(killed)
    assert [stop["status"] for stop in list_interruptions(killed)] == ["running"]


def test_going_on_can_be_killed_as_well(finished_run: FinishedRuns, tmp_path: Path):
    killed = kill(tmp_path, MOMENTS["inside a ledger line"])
    for fault in (
        # Inside and after what says that the run goes on; at a step run again; at a later one.
        "killed-inside:manifest.json",
        "killed-renaming:metrics.jsonl",
        "killed-inside:step-000000006.safetensors",
        "killed-inside:predictions.csv",
    ):
        resume_run(killed, fault=fault, code=-signal.SIGKILL)
    require_same_as_never_stopped(killed, finished_run(vectors()))
    require_nothing_half_written(killed)
    assert [stop["next_step"] for stop in list_interruptions(killed)] == [3, 3, 3, 6]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("killed-inside:manifest.json", "not a run directory: it holds no manifest.json"),
        ("killed-opening:config.yaml", "it lacks config.yaml, env.json, data.lock.json"),
        ("killed-inside:env.json", "it lacks env.json, data.lock.json"),
        ("killed-renaming:data.lock.json", "it lacks data.lock.json"),
    ],
)
def test_a_run_killed_before_its_inputs_were_there_has_nothing_to_go_on_with(
    tmp_path: Path, fault: str, said: str
):
    killed = kill(tmp_path, fault)
    problem, where, _ = read_error(resume_run(killed, code=3), code=3)
    assert said in problem
    assert where == str(killed)


def test_a_directory_that_is_written_to_is_refused_until_its_process_is_dead(tmp_path: Path):
    out = tmp_path / "run"
    config = write_recipe(tmp_path / "recipe.yaml", vectors(train__epochs=ENDLESS))
    with started_cxr("train", "--config", config, "--out", out) as process:
        wait_until((out / "checkpoints").exists, process)
        problem, where, hint = read_error(resume_run(out, code=3), code=3)
        assert problem == "another process is writing to this run directory"
        assert where == str(out)
        assert hint == "wait for it to end"
        assert process.poll() is None
        process.kill()
        process.wait()
    # The dead one's lock is still there and in nobody's way.
    assert (out / "run.lock").exists()
    resume_run(out, fault="killed-opening:manifest.json", code=-signal.SIGKILL)


def require_nothing_half_written(run: Path) -> None:
    """Check that no temporary file, lock or half of a checkpoint is left."""
    names = [path.name for path in run.rglob("*")]
    assert [name for name in names if name.endswith((".tmp", "run.lock"))] == []
    stems = [sorted(run.glob(f"checkpoints/*.{kind}")) for kind in ("json", "safetensors")]
    assert [p.stem for p in stems[0]] == [p.stem for p in stems[1]]


def list_interruptions(run: Path) -> list[dict[str, object]]:
    """Return the stops that a run's manifest notes."""
    return json.loads((run / "manifest.json").read_bytes())["volatile"]["interruptions"]
