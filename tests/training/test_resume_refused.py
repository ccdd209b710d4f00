"""Going on is refused where something is not as it was, and what is not is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import cxr
from cxr.records.manifest import seal_manifest
from support.program import read_error, run_cxr
from support.recipes import STEPS_PER_EPOCH, images, vectors
from support.resuming import kill, resume_run, stop_run
from support.runs import FinishedRuns, copy_run

KILLED_IN_EPOCH_1 = "killed-inside:ledger.jsonl*5"


def test_a_run_does_not_go_on_with_another_recipe(tmp_path: Path):
    # What a run that was killed left: its manifest says nothing of files.
    stopped = kill(tmp_path, "killed-inside:ledger.jsonl*2")
    config = stopped / "config.yaml"
    text = config.read_text().replace("seed: 1\n", "seed: 2\n", 1)
    config.write_text(text.replace("  lr: 0.001\n", "  lr: 0.01\n"))
    before = (stopped / "ledger.jsonl").read_bytes()
    problem, where, _ = read_error(resume_run(stopped, code=3), code=3)
    assert problem == "the run cannot go on: seed, train.lr changed since it began"
    assert where == str(stopped)
    assert (stopped / "ledger.jsonl").read_bytes() == before


@pytest.mark.parametrize("seal", [False, True], ids=["edited", "edited and sealed"])
def test_an_edited_manifest_does_not_go_on(
    finished_run: FinishedRuns, tmp_path: Path, *, seal: bool
):
    stopped = copy_run(stop_run(finished_run, vectors(), 1), tmp_path / "stopped")
    manifest = json.loads((stopped / "manifest.json").read_bytes())
    del manifest["recipe"]["data_digest"]
    edited = json.dumps(seal_manifest(manifest) if seal else manifest)
    (stopped / "manifest.json").write_text(edited)
    problem, where, _ = read_error(resume_run(stopped, code=3), code=3)
    assert ("lacks or misspells recipe.data_digest" if seal else "was edited") in problem
    assert where == str(stopped / "manifest.json")
    assert (stopped / "manifest.json").read_text() == edited


@pytest.mark.parametrize("line", ["[]\n", "{}\n", "{\n", "\0\n"])
def test_damaged_figures_of_the_epochs_before_are_named_and_nothing_is_changed(
    tmp_path: Path, line: str
):
    stopped = kill(tmp_path, KILLED_IN_EPOCH_1)
    (stopped / "run.lock").unlink()
    with (stopped / "metrics.jsonl").open("a") as stream:
        stream.write(line)
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    problem, where, _ = read_error(resume_run(stopped, code=3), code=3)
    assert problem == "a line of the epochs' figures is damaged"
    assert where == str(stopped / "metrics.jsonl")
    assert before == {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    ["config.yaml", "env.json", "data.lock.json", "ledger.jsonl", "tensors.bin", "metrics.jsonl"],
)
@pytest.mark.parametrize("change", ["was changed", "is missing"])
def test_a_file_that_is_not_as_the_manifest_names_it_is_named_and_nothing_is_changed(
    finished_run: FinishedRuns, tmp_path: Path, name: str, change: str
):
    stopped = copy_run(stop_run(finished_run, vectors(), STEPS_PER_EPOCH + 1), tmp_path / "stopped")
    if change == "is missing":
        (stopped / name).unlink()
    else:
        with (stopped / name).open("ab") as stream:
            stream.write(b"\n")
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    problem, where, hint = read_error(resume_run(stopped, code=3), code=3)
    assert problem == f"the run cannot go on: {name} {change}"
    assert where == str(stopped / name)
    assert f"cxr verify {stopped}" in hint
    assert before == {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}


def test_a_killed_run_without_the_figures_of_an_epoch_does_not_go_on(tmp_path: Path):
    killed = kill(tmp_path, KILLED_IN_EPOCH_1)
    (killed / "run.lock").unlink()
    (killed / "metrics.jsonl").unlink()
    before = {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()}
    problem, where, _ = read_error(resume_run(killed, code=3), code=3)
    assert problem == "the figures of epoch 0 are missing"
    assert where == str(killed / "metrics.jsonl")
    assert before == {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()}


def test_what_is_no_run_cannot_go_on(tmp_path: Path):
    problem, where, _ = read_error(resume_run(tmp_path, code=3), code=3)
    assert (problem, where) == (
        "not a run directory: it holds no manifest.json",
        str(tmp_path),
    )


def test_a_root_that_is_not_there_is_named(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    run = stop_run(finished_run, images(radiographs), STEPS_PER_EPOCH)
    stopped = copy_run(run, tmp_path / "stopped")
    finished = run_cxr("train", "--resume", stopped, "--data", tmp_path / "nowhere")
    assert read_error(finished, code=3)[:2] == ("no such data set", str(tmp_path / "nowhere"))


def test_a_run_does_not_go_on_with_other_data(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    run = stop_run(finished_run, images(radiographs), STEPS_PER_EPOCH)
    stopped = copy_run(run, tmp_path / "stopped")
    root = shutil.copytree(radiographs, tmp_path / "data")
    first, second = sorted((root / "train" / "NORMAL").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    problem, _, hint = read_error(resume_run(stopped, "--data", root, code=3), code=3)
    assert problem == (
        f"the run cannot go on: data {first.relative_to(root).as_posix()} changed since it began"
    )
    assert "cxr data verify --lock" in hint


def test_a_run_does_not_go_on_with_other_code(finished_run: FinishedRuns, tmp_path: Path):
    stopped = copy_run(stop_run(finished_run, vectors(), 1), tmp_path / "stopped")
    package = shutil.copytree(Path(cxr.__file__).parent, tmp_path / "sources" / "cxr")
    with (package / "errors.py").open("a") as stream:
        stream.write("# another version\n")
    env = {"PYTHONPATH": str(package.parent)}
    problem, _, _ = read_error(resume_run(stopped, code=3, env=env), code=3)
    assert problem == "the run cannot go on: the code of cxr changed since it began"


def test_a_run_does_not_go_on_in_another_environment(finished_run: FinishedRuns, tmp_path: Path):
    stopped = copy_run(stop_run(finished_run, vectors(), 1), tmp_path / "stopped")
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    env = {"MKL_CBWR": "COMPATIBLE"}
    problem, where, _ = read_error(resume_run(stopped, code=3, env=env), code=3)
    assert problem == (
        "the run cannot go on: environment variables.MKL_CBWR changed since it began"
    )
    assert where == str(stopped)
    assert before == {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}


def test_a_run_that_promises_less_goes_on_in_another_environment(
    finished_run: FinishedRuns, tmp_path: Path
):
    run = stop_run(finished_run, vectors(determinism="warn"), STEPS_PER_EPOCH)
    resume_run(
        copy_run(run, tmp_path / "stopped"), env={"OMP_WAIT_POLICY": "ACTIVE", "MKL_CBWR": "AUTO"}
    )
