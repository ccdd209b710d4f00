"""A run that was stopped and goes on gives the bits of one that never was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cxr.records.manifest import seal_manifest
from support.program import Finished, read_answer, read_error, run_cxr
from support.recipes import STEPS_PER_EPOCH, Recipe, images, vectors
from support.runs import FinishedRuns, Run, copy_run, diff


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
    stopped = copy_run(stop(finished_run, vectors(), step), tmp_path / "stopped")
    require_same_as_never_stopped(stopped, finished_run(vectors()))


def test_dropout_and_augmentation_go_on_at_the_first_step_of_an_epoch(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    recipe = images(radiographs)
    stopped = copy_run(stop(finished_run, recipe, STEPS_PER_EPOCH), tmp_path / "stopped")
    point_to(stopped, radiographs)
    require_same_as_never_stopped(stopped, finished_run(recipe))


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    recipe = images(radiographs)
    stopped = copy_run(stop(finished_run, recipe, STEPS_PER_EPOCH), tmp_path / "stopped")
    point_to(stopped, radiographs)
    (checkpoint,) = (stopped / "checkpoints").glob("*.safetensors")
    content = bytearray(checkpoint.read_bytes())
    content[-1] ^= 1
    checkpoint.write_bytes(content)
    finished = resume(stopped)
    assert "step-000000003.json" in finished.stderr
    assert read_answer(finished)["outcome_digest"] == finished_run(recipe).digests[0]


def test_a_completed_run_is_left_as_it_is(finished_run: FinishedRuns, tmp_path: Path):
    completed = copy_run(finished_run(vectors()), tmp_path / "completed")
    before = {path: path.read_bytes() for path in completed.rglob("*") if path.is_file()}
    assert read_answer(resume(completed))["outcome_digest"] == finished_run(vectors()).digests[0]
    assert before == {path: path.read_bytes() for path in completed.rglob("*") if path.is_file()}


def test_a_run_does_not_go_on_with_another_recipe(finished_run: FinishedRuns, tmp_path: Path):
    stopped = copy_run(stop(finished_run, vectors(), 1), tmp_path / "stopped")
    config = stopped / "config.yaml"
    config.write_text(config.read_text().replace("seed: 1\n", "seed: 2\n", 1))
    before = (stopped / "ledger.jsonl").read_bytes()
    problem, where, _ = read_error(resume(stopped, code=3), code=3)
    assert "config_digest" in problem
    assert where == str(stopped)
    assert (stopped / "ledger.jsonl").read_bytes() == before


@pytest.mark.parametrize("seal", [False, True], ids=["edited", "edited and sealed"])
def test_an_edited_manifest_does_not_go_on(
    finished_run: FinishedRuns, tmp_path: Path, *, seal: bool
):
    stopped = copy_run(stop(finished_run, vectors(), 1), tmp_path / "stopped")
    manifest = json.loads((stopped / "manifest.json").read_bytes())
    del manifest["recipe"]["data_digest"]
    edited = json.dumps(seal_manifest(manifest) if seal else manifest)
    (stopped / "manifest.json").write_text(edited)
    problem, where, _ = read_error(resume(stopped, code=3), code=3)
    assert ("lacks or misspells recipe.data_digest" if seal else "was edited") in problem
    assert where == str(stopped / "manifest.json")
    assert (stopped / "manifest.json").read_text() == edited


@pytest.mark.parametrize("line", ["[]\n", "{}\n", "{\n", "\0\n"])
def test_damaged_figures_of_the_epochs_before_are_named_and_nothing_is_changed(
    finished_run: FinishedRuns, tmp_path: Path, line: str
):
    stopped = copy_run(stop(finished_run, vectors(), STEPS_PER_EPOCH + 1), tmp_path / "stopped")
    with (stopped / "metrics.jsonl").open("a") as stream:
        stream.write(line)
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    problem, where, _ = read_error(resume(stopped, code=3), code=3)
    assert problem == "a line of the epochs' figures is damaged"
    assert where == str(stopped / "metrics.jsonl")
    assert before == {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}


def test_what_is_no_run_cannot_go_on(tmp_path: Path):
    problem, where, _ = read_error(resume(tmp_path, code=3), code=3)
    assert (problem, where) == (
        "not a run directory: it holds no manifest.json",
        str(tmp_path),
    )


def test_a_run_whose_data_was_moved_goes_on_where_it_is_now(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    recipe = images(radiographs)
    stopped = copy_run(stop(finished_run, recipe, STEPS_PER_EPOCH), tmp_path / "a" / "b" / "run")
    point_to(stopped, tmp_path / "nowhere")
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


def test_a_root_that_is_not_there_is_named(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    run = stop(finished_run, images(radiographs), STEPS_PER_EPOCH)
    stopped = copy_run(run, tmp_path / "stopped")
    finished = run_cxr("train", "--resume", stopped, "--data", tmp_path / "nowhere")
    assert read_error(finished, code=3)[:2] == ("no such data set", str(tmp_path / "nowhere"))


def test_what_a_killed_writer_left_is_removed(finished_run: FinishedRuns, tmp_path: Path):
    stopped = copy_run(stop(finished_run, vectors(), STEPS_PER_EPOCH), tmp_path / "stopped")
    left = [
        stopped / ".manifest.json.1.tmp",
        stopped / "checkpoints" / ".step-000000006.safetensors.1.tmp",
        stopped / "checkpoints" / "step-000000005.safetensors",
    ]
    for file in left:
        file.write_bytes(b"half")
    (stopped / "notes.txt").write_text("mine")
    require_same_as_never_stopped(stopped, finished_run(vectors()))
    assert [file for file in left if file.exists()] == []
    assert (stopped / "notes.txt").read_text() == "mine"


def stop(finished_run: FinishedRuns, recipe: Recipe, step: int) -> Run:
    """Return a run that was told to stop at a step."""
    stopped = finished_run(recipe, fault=f"signal:{step}", code=130)
    assert stopped.manifest["status"] == "interrupted"
    assert stopped.manifest["trace"]["steps"] == step + 1
    return stopped


def require_same_as_never_stopped(stopped: Path, never_stopped: Run) -> None:
    answer = read_answer(resume(stopped))
    assert (answer["outcome_digest"], answer["trace_digest"]) == never_stopped.digests
    assert answer["status"] == "completed"
    for name in ("ledger.jsonl", "metrics.jsonl", "predictions.csv", "model.safetensors"):
        assert (stopped / name).read_bytes() == (never_stopped.directory / name).read_bytes()
    assert run_cxr("verify", stopped).returncode == 0
    assert diff(stopped, never_stopped)[1]["verdict"] == "identical"


def resume(run: Path, *, code: int = 0) -> Finished[str]:
    finished = run_cxr("train", "--resume", run, "--json")
    assert finished.returncode == code, finished.stderr
    return finished


def point_to(run: Path, radiographs: Path) -> None:
    """Let the config of a run that was copied find its images, which is no part of the recipe."""
    config = run / "config.yaml"
    lines = config.read_text().splitlines()
    lines = [f"  root: {radiographs}" if line.startswith("  root:") else line for line in lines]
    config.write_text("\n".join(lines) + "\n")
