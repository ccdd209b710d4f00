"""A run whose data has errors that are known only now is evaluated, gone on with and reproduced."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from cxr.digests.canonical import canonical_json, digest_json
from support.program import read_answer, read_error, run_cxr
from support.recipes import STEPS_PER_EPOCH, Recipe, images
from support.resuming import resume_run, stop_run
from support.runs import FinishedRuns, Run, copy_run

KIND = "duplicate-across-splits"


@pytest.fixture
def recipe(radiographs: Path, shared_directory: Path) -> Recipe:
    """A recipe on images of which a training image is in the test split too."""
    root = shared_directory / "leaking"
    if not root.exists():
        growing = Path(shutil.copytree(radiographs, shared_directory / "leaking.new"))
        image = min((growing / "train" / "NORMAL").iterdir())
        shutil.copy(image, growing / "test" / "NORMAL" / f"leak{image.suffix}")
        growing.rename(root)
    return images(root, data__accept=[KIND])


def forget_acceptance(run: Run, place: Path) -> Path:
    """Copy a run, and have it be one of a time when nothing had to be accepted."""
    copied = copy_run(run, place)
    config = copied / "config.yaml"
    text = config.read_text()
    assert text.count(f"accept:\n  - {KIND}\n") == 1, text
    text = text.replace(f"accept:\n  - {KIND}\n", "accept: []\n")
    config.write_text(text)
    manifest = json.loads((copied / "manifest.json").read_bytes())
    manifest["config"]["rest"]["data.accept"] = []
    manifest["files"]["config.yaml"] = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    del manifest["manifest_digest"]
    manifest["manifest_digest"] = digest_json(manifest)
    (copied / "manifest.json").write_bytes(canonical_json(manifest) + b"\n")
    return copied


def test_it_is_evaluated_and_the_errors_are_told(
    finished_run: FinishedRuns, recipe: Recipe, tmp_path: Path
):
    run = forget_acceptance(finished_run(recipe), tmp_path / "run")
    finished = run_cxr("evaluate", run, "--data", recipe["data"]["root"], "--json")
    assert read_answer(finished)["same_as_run"] is True
    assert f"errors in the data that the run was trained on: {KIND} (1)" in finished.stderr


def test_it_goes_on_and_is_replayed(finished_run: FinishedRuns, recipe: Recipe, tmp_path: Path):
    root = recipe["data"]["root"]
    stopped = forget_acceptance(stop_run(finished_run, recipe, STEPS_PER_EPOCH), tmp_path / "run")
    answer = read_answer(resume_run(stopped, "--data", root))
    assert answer["outcome_digest"] == finished_run(recipe).digests[0]
    found = tmp_path / "answer.json"
    replayed = run_cxr("replay", stopped, "--step", "4", "--data", root, "--answer", found)
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(found.read_bytes())["left_at"] is None


def test_it_is_reproduced(finished_run: FinishedRuns, recipe: Recipe, tmp_path: Path):
    run = forget_acceptance(finished_run(recipe), tmp_path / "run")
    out = tmp_path / "again"
    options = ["--data", recipe["data"]["root"], "--out", out, "--json"]
    finished = run_cxr("reproduce", run, *options)
    assert finished.returncode == 0, finished.stderr
    assert read_answer(finished)["verdict"] == "identical"
    assert f"errors in the data that the run was trained on: {KIND}" in finished.stderr
    manifest = json.loads((out / "run" / "manifest.json").read_bytes())
    assert manifest["config"]["rest"]["data.accept"] == [KIND]


def test_data_that_are_other_ones_are_refused(
    finished_run: FinishedRuns, recipe: Recipe, tmp_path: Path
):
    run = forget_acceptance(finished_run(recipe), tmp_path / "run")
    root = Path(shutil.copytree(recipe["data"]["root"], tmp_path / "other"))
    image = min((root / "val" / "NORMAL").iterdir())
    shutil.copy(image, image.with_stem("another"))
    finished = run_cxr("evaluate", run, "--data", root, "--json")
    problem, _, hint = read_error(finished, code=3)
    assert KIND in problem
    assert "data.lock.json" in hint
