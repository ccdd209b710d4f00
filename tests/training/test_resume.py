"""A run that was stopped and goes on gives the bits of one that never was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.program import read_answer, read_error, run_cxr
from support.recipes import STEPS_PER_EPOCH, change, early, images, vectors
from support.resuming import require_same_as_never_stopped, resume_run, stop_run
from support.runs import FinishedRuns, copy_run


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(1, id="before the first checkpoint"),
        pytest.param(STEPS_PER_EPOCH - 1, id="at the last step of an epoch"),
    ],
)
def test_a_run_that_was_stopped_gives_the_bits_of_one_that_never_was(
    finished_run: FinishedRuns, tmp_path: Path, step: int
):
    stopped = copy_run(stop_run(finished_run, vectors(), step), tmp_path / "stopped")
    require_same_as_never_stopped(stopped, finished_run(vectors()))


def test_dropout_and_augmentation_go_on_at_the_first_step_of_an_epoch(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    recipe = images(radiographs)
    stopped = copy_run(stop_run(finished_run, recipe, STEPS_PER_EPOCH), tmp_path / "stopped")
    require_same_as_never_stopped(stopped, finished_run(recipe), "--data", radiographs)


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    recipe = images(radiographs)
    stopped = copy_run(stop_run(finished_run, recipe, STEPS_PER_EPOCH), tmp_path / "stopped")
    (checkpoint,) = (stopped / "checkpoints").glob("*.safetensors")
    content = bytearray(checkpoint.read_bytes())
    content[-1] ^= 1
    checkpoint.write_bytes(content)
    finished = resume_run(stopped, "--data", radiographs)
    assert "step-000000003.json" in finished.stderr
    assert read_answer(finished)["outcome_digest"] == finished_run(recipe).digests[0]


def test_a_completed_run_is_left_as_it_is(finished_run: FinishedRuns, tmp_path: Path):
    completed = copy_run(finished_run(vectors()), tmp_path / "completed")
    before = {path: path.read_bytes() for path in completed.rglob("*") if path.is_file()}
    assert (
        read_answer(resume_run(completed))["outcome_digest"] == finished_run(vectors()).digests[0]
    )
    assert before == {path: path.read_bytes() for path in completed.rglob("*") if path.is_file()}


def test_a_run_whose_data_was_moved_goes_on_where_it_is_now(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    recipe = images(radiographs)
    stopped = copy_run(
        stop_run(finished_run, recipe, STEPS_PER_EPOCH), tmp_path / "a" / "b" / "run"
    )
    for command in (
        ["train", "--resume", stopped],
        ["evaluate", copy_run(finished_run(recipe), tmp_path / "c" / "d" / "completed")],
    ):
        problem, where, hint = read_error(run_cxr(*command), code=3)
        assert problem == "the run or its data set was moved: the data is not there"
        assert where
        assert "--data DIR" in hint
    # A name that YAML would read as a mapping.
    root = shutil.copytree(radiographs, tmp_path / "data: moved")
    finished = run_cxr("train", "--resume", stopped, "--data", root, "--json")
    assert finished.returncode == 0, finished.stderr
    answer = read_answer(finished)
    never_stopped = finished_run(recipe)
    assert (answer["outcome_digest"], answer["trace_digest"]) == never_stopped.digests


@pytest.mark.parametrize("keep", [1, 3])
def test_the_best_weights_and_early_stopping_survive_a_stop_and_pruning(
    finished_run: FinishedRuns, tmp_path: Path, keep: int
):
    never_stopped = finished_run(early())
    num_steps, best = (
        never_stopped.manifest["trace"]["steps"],
        never_stopped.manifest["selection"]["epoch"],
    )
    recipe = change(early(), {"train__keep_checkpoints": keep})
    stopped = copy_run(stop_run(finished_run, recipe, num_steps - 1), tmp_path / "stopped")
    # The best epoch's own checkpoint is gone where only one is kept.
    kept = sorted(path.stem for path in (stopped / "checkpoints").glob("*.json"))
    ends = range(STEPS_PER_EPOCH, num_steps, STEPS_PER_EPOCH)
    assert kept == [f"step-{step:09d}" for step in ends][-keep:]
    assert (f"step-{(best + 1) * STEPS_PER_EPOCH:09d}" in kept) is (keep > 1)
    require_same_as_never_stopped(stopped, never_stopped)


def test_a_disk_that_is_full_keeps_the_last_checkpoint_and_says_how_to_go_on(
    finished_run: FinishedRuns, tmp_path: Path
):
    for name in ("step-000000006.safetensors", "step-000000006.json", "predictions.csv"):
        run = finished_run(vectors(), fault=f"no-space:{name}", code=3)
        problem, where, hint = read_error(run.process, code=3)
        assert problem == "cannot write: No space left on device"
        assert Path(where).name == name
        assert f"cxr train --resume {run.directory}" in hint
        assert run.manifest["status"] == "failed"
        names = {path.name for path in (run.directory / "checkpoints").iterdir()}
        assert {"step-000000003.json", "step-000000003.safetensors"} <= names
        going_on = copy_run(run, tmp_path / name)
        require_same_as_never_stopped(going_on, finished_run(vectors()))


def test_a_step_that_is_run_again_to_other_bits_is_named(
    finished_run: FinishedRuns, tmp_path: Path
):
    stopped = copy_run(stop_run(finished_run, vectors(), STEPS_PER_EPOCH + 1), tmp_path / "stopped")
    before = (stopped / "ledger.jsonl").read_bytes()
    problem, where, _ = read_error(resume_run(stopped, fault="other-lr:1", code=3), code=3)
    assert problem == "a step that was run again gives other bits: optimizer, parameters"
    assert where == f"{stopped / 'ledger.jsonl'}, step {STEPS_PER_EPOCH}"
    assert (stopped / "ledger.jsonl").read_bytes() == before
    # What went wrong here is no reason to lose the run.
    require_same_as_never_stopped(stopped, finished_run(vectors()))
