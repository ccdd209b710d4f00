"""What is wrong with names and data is said before torch, which takes seconds, is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cxr.records.manifest import load_manifest, seal_manifest
from support.program import read_error, run_cxr
from support.recipes import images, write_recipe
from support.runs import FinishedRuns, copy_run

TORCH = ("torch",)


@pytest.mark.parametrize(
    ("option", "code", "said"),
    [
        ("data.root=nowhere", 3, "no such data set"),
        ("train.batch_size=5000", 2, "fewer than a batch of 5000"),
    ],
)
def test_a_recipe_that_cannot_be_trained(
    tmp_path: Path, radiographs: Path, option: str, code: int, said: str
):
    recipe = write_recipe(tmp_path / "recipe.yaml", images(radiographs))
    out = tmp_path / "run"
    finished = run_cxr("train", "-q", "-c", recipe, "--set", option, "--out", out, blocked=TORCH)
    problem, _, _ = read_error(finished, code=code)
    assert said in problem
    assert not out.exists()


def test_an_image_that_cannot_be_decoded(tmp_path: Path, radiographs: Path):
    root = shutil.copytree(radiographs, tmp_path / "images")
    image = min(root.rglob("*.png"))
    image.write_bytes(image.read_bytes()[:100])
    recipe = write_recipe(tmp_path / "recipe.yaml", images(root))
    finished = run_cxr("train", "-q", "-c", recipe, "--out", tmp_path / "run", blocked=TORCH)
    _, where, _ = read_error(finished, code=3)
    assert image.name in where


def test_a_run_that_is_not_there_or_is_complete(
    tmp_path: Path, radiographs: Path, finished_run: FinishedRuns
):
    for command in (("train", "--resume"), ("evaluate",)):
        finished = run_cxr(*command, tmp_path, blocked=TORCH)
        assert "not a run directory" in read_error(finished, code=3)[0]
    run = copy_run(finished_run(images(radiographs)), tmp_path / "run")
    resumed = run_cxr("train", "--resume", run, blocked=TORCH)
    assert resumed.returncode == 0
    assert "the run is complete; nothing to do" in resumed.stderr


def test_an_evaluation_of_data_that_is_not_there_or_is_other_data(
    tmp_path: Path, radiographs: Path, finished_run: FinishedRuns
):
    run = copy_run(finished_run(images(radiographs)), tmp_path / "run")
    absent = run_cxr("evaluate", "-q", run, "--data", tmp_path / "nowhere", blocked=TORCH)
    assert read_error(absent, code=3)[0] == "no such data set"
    root = shutil.copytree(radiographs, tmp_path / "images")
    min(root.rglob("*.png")).unlink()
    changed = run_cxr("evaluate", "-q", run, "--data", root, blocked=TORCH)
    assert "data" in read_error(changed, code=3)[0]
    assert not (run / "evaluations").exists()


def test_a_run_that_is_gone_on_with_over_data_that_is_not_there(
    tmp_path: Path, radiographs: Path, finished_run: FinishedRuns
):
    run = copy_run(finished_run(images(radiographs)), tmp_path / "run")
    manifest = seal_manifest({**load_manifest(run), "status": "interrupted"})
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    command = ("train", "-q", "--resume", run)
    absent = run_cxr(*command, "--data", tmp_path / "nowhere", blocked=TORCH)
    assert read_error(absent, code=3)[0] == "no such data set"
    (run / "metrics.jsonl").unlink()
    lost = run_cxr(*command, blocked=TORCH)
    assert "metrics.jsonl is missing" in read_error(lost, code=3)[0]
