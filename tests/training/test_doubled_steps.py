"""A step that does not repeat is noticed within one run, by running some of its steps twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import read_error, run_cxr
from support.recipes import STEPS_PER_EPOCH, vectors
from support.runs import FinishedRuns, copy_run

STEP = 4


@pytest.mark.parametrize("every", [0, 1, 3])
def test_doubling_changes_no_bits_and_is_counted(finished_run: FinishedRuns, every: int):
    usual = finished_run(vectors())
    doubled = finished_run(vectors(train__double_every=every))
    assert doubled.digests == usual.digests
    num_steps = doubled.manifest["trace"]["steps"]
    assert doubled.manifest["doubled_steps"] == {
        "doubled": len(range(0, num_steps, every)) if every else 0,
        "mismatched": 0,
        "first_mismatch": None,
    }
    assert usual.manifest["doubled_steps"]["doubled"] == 1


def test_an_op_that_does_not_repeat_stops_strict_with_step_tensor_and_op(
    finished_run: FinishedRuns,
):
    # The step before is not doubled: there it goes unnoticed.
    recipe = vectors(train__double_every=2)
    run = finished_run(recipe, fault=f"unrepeatable-op:{STEP - 1}", code=3)
    problem, where, _ = read_error(run.process, code=3)
    assert problem == (
        "a step that was run twice gave other bits: loss (loss); "
        "aten.add.Tensor of backbone is the first op that differs"
    )
    assert where == f"step {STEP}, epoch {STEP // STEPS_PER_EPOCH}"
    assert run.manifest["status"] == "failed"
    assert run.manifest["doubled_steps"]["mismatched"] == 1
    assert run_cxr("verify", run.directory).returncode == 0


def test_an_op_that_does_not_repeat_is_counted_under_warn(finished_run: FinishedRuns):
    recipe = vectors(determinism="warn", train__double_every=2)
    run = finished_run(recipe, fault=f"unrepeatable-op:{STEP}")
    assert run.manifest["status"] == "completed"
    found = run.manifest["doubled_steps"]
    assert found["mismatched"] == found["doubled"] - STEP // 2
    assert found["first_mismatch"] == {
        "step": STEP,
        "part": "loss",
        "tensor": "loss",
        "op": "aten.add.Tensor of backbone",
    }


def test_without_doubling_the_same_op_goes_unnoticed(finished_run: FinishedRuns):
    """The fault is real: only running a step twice sees it within one run."""
    recipe = vectors(train__double_every=0)
    runs = [finished_run(recipe, fault=f"unrepeatable-op:{STEP}", tag=tag) for tag in "ab"]
    assert [run.manifest["status"] for run in runs] == ["completed", "completed"]
    assert runs[0].digests != runs[1].digests


def test_the_count_goes_on_with_a_run_that_was_stopped(finished_run: FinishedRuns, tmp_path: Path):
    recipe = vectors(train__double_every=1)
    stopped = finished_run(recipe, fault=f"signal:{STEPS_PER_EPOCH + 1}", code=130)
    resumed = copy_run(stopped, tmp_path / "run")
    finished = run_cxr("train", "--resume", resumed)
    assert finished.returncode == 0, finished.stderr
    manifest = json.loads((resumed / "manifest.json").read_bytes())
    assert manifest["doubled_steps"]["doubled"] == manifest["trace"]["steps"]
