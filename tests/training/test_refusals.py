"""What cannot be trained is refused in three lines, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cxr.digests.files import digest_file
from support.program import read_error, run_cxr
from support.recipes import Recipe, change, images, vectors, write_recipe


def test_a_directory_that_holds_something_is_left_untouched(tmp_path: Path):
    out = tmp_path / "run"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    problem, where, hint = refuse(tmp_path, vectors(), code=2)
    assert problem == "the directory of the run already exists and is not empty"
    assert where == str(out)
    assert "--out" in hint
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [("notes.txt", "mine")]


def test_fewer_samples_than_a_batch_are_refused(tmp_path: Path):
    problem, where, hint = refuse(tmp_path, vectors(train__batch_size=61), code=2)
    assert problem == "60 training samples are fewer than a batch of 61"
    assert where.startswith("train.batch_size")
    assert "60 or less" in hint
    assert not (tmp_path / "run").exists()


def test_an_unknown_model_is_refused_with_the_nearest_names(tmp_path: Path):
    problem, where, hint = refuse(tmp_path, vectors(model={"name": "resnet81"}), code=2)
    assert problem == "no model is called 'resnet81'"
    assert where == "model.name"
    assert "resnet18" in hint
    assert not (tmp_path / "run").exists()


def test_every_unreadable_image_is_named(tmp_path: Path, radiographs: Path):
    root = copy_images(radiographs, tmp_path)
    first, second = sorted((root / "train" / "NORMAL").iterdir())[:2]
    first.write_bytes(b"this is no image")
    second.write_bytes(second.read_bytes()[:400])
    problem, where, _ = refuse(tmp_path, own_cache(root), code=3)
    assert problem.startswith("the data set has 2 errors: ")
    lines = where.split("\n         ")
    assert lines[0] == str(root)
    named = {line.partition(":")[0] for line in lines[1:]}
    assert named == {path.relative_to(root).as_posix() for path in (first, second)}
    assert not (tmp_path / "run").exists()
    assert list((tmp_path / "cache").rglob("pixels*")) == []


def test_a_directory_that_cannot_be_listed_is_refused(tmp_path: Path, radiographs: Path):
    config = write_recipe(tmp_path / "recipe.yaml", images(radiographs))
    out = tmp_path / "run"
    finished = run_cxr(
        "train", "--config", config, "--out", out, fault="unlistable-directory:PNEUMONIA"
    )
    problem, where, _ = read_error(finished, code=3)
    assert problem == "cannot list a directory: Permission denied"
    assert where == str(radiographs / "train" / "PNEUMONIA")
    assert not out.exists()


def test_a_pipe_among_the_images_is_refused(tmp_path: Path, radiographs: Path):
    root = copy_images(radiographs, tmp_path)
    os.mkfifo(root / "train" / "NORMAL" / "pipe.jpeg")
    problem, where, hint = refuse(tmp_path, own_cache(root), code=3)
    assert problem == "the data set has an error: unreadable (1)"
    found = "train/NORMAL/pipe.jpeg: cannot read an image: it is a named pipe"
    assert where == f"{root}\n         {found}"
    assert "cxr data verify" in hint


def test_a_leak_is_refused_unless_it_is_accepted(tmp_path: Path, radiographs: Path):
    root = copy_images(radiographs, tmp_path)
    first = min((root / "train" / "NORMAL").iterdir())
    shutil.copy(first, root / "test" / "NORMAL" / "leak.jpeg")
    problem, where, hint = refuse(tmp_path, own_cache(root), code=3)
    assert problem == "the data set has an error: duplicate-across-splits (1)"
    assert where.startswith(f"{root}\n         test/NORMAL/leak.jpeg, train/NORMAL/{first.name}: ")
    assert "data.accept" in hint
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache").exists()
    recipe = change(own_cache(root), {"data__accept": ["duplicate-across-splits"]})
    config = write_recipe(tmp_path / "accepting.yaml", recipe)
    finished = run_cxr("train", "--config", config, "--out", tmp_path / "run", "-q")
    assert (finished.returncode, finished.stderr) == (0, "")


def test_an_empty_data_set_is_refused(tmp_path: Path):
    (tmp_path / "radiographs" / "train").mkdir(parents=True)
    problem, where, _ = refuse(tmp_path, images(tmp_path / "radiographs"), code=3)
    assert problem.startswith("no images (")
    assert where == str(tmp_path / "radiographs")
    assert not (tmp_path / "run").exists()


def test_a_class_without_training_images_is_refused(tmp_path: Path, radiographs: Path):
    root = copy_images(radiographs, tmp_path)
    shutil.rmtree(root / "train" / "PNEUMONIA")
    problem, where, _ = refuse(tmp_path, images(root), code=3)
    assert problem == "no training image of the class PNEUMONIA"
    assert where == str(root / "train")
    assert not (tmp_path / "run").exists()


def test_a_single_class_is_refused_by_the_config(tmp_path: Path, radiographs: Path):
    recipe = images(radiographs, data__classes=["NORMAL"])
    problem, where, _ = refuse(tmp_path, recipe, code=2)
    assert problem == "the config has a problem"
    assert "data.classes: needs at least two classes" in where


def test_a_missing_validation_split_is_refused_where_weights_are_chosen_by_it(
    tmp_path: Path, radiographs: Path
):
    root = copy_images(radiographs, tmp_path)
    shutil.rmtree(root / "val")
    problem, _, hint = refuse(tmp_path, own_cache(root), code=3)
    assert problem.startswith("validation has no image of NORMAL and PNEUMONIA")
    assert "data.validation_fraction" in hint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("found", ["missing", "changed"])
def test_weights_that_are_not_those_of_the_recipe_are_refused(tmp_path: Path, found: str):
    weights = tmp_path / "weights.safetensors"
    if found == "changed":
        weights.write_bytes(b"other")
    named = {"source": "file", "path": str(weights), "sha256": "sha256:" + "0" * 64}
    problem, where, _ = refuse(tmp_path, vectors(model__weights=named), code=3)
    expected = {"missing": "no such weights file", "changed": "the weights file has another digest"}
    assert problem.startswith(expected[found])
    assert str(weights) in where
    assert not (tmp_path / "run").exists()


def test_weights_that_match_nothing_are_refused(tmp_path: Path, radiographs: Path):
    weights = tmp_path / "weights.safetensors"
    save_file({"a.weight": np.ones(2, np.float32)}, weights)
    named = {"source": "file", "path": str(weights), "sha256": digest_file(weights)}
    recipe = images(radiographs, model__weights=named)
    problem, where, _ = refuse(tmp_path, recipe, code=3)
    assert problem.startswith("the weights do not fit the model: conv1.0.weight is missing")
    assert where == str(weights)
    assert not (tmp_path / "run").exists()


def test_a_shard_too_small_for_batch_norm_is_refused_at_its_step(tmp_path: Path, radiographs: Path):
    recipe = images(radiographs, data__image_size=16, train__augment={}, train__shards=4)
    problem, where, hint = refuse(tmp_path, recipe, code=3)
    assert "more than 1 value per channel" in problem
    assert where == "step 0, epoch 0, a shard of 1"
    assert "lower train.shards" in hint
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "failed"


def refuse(tmp_path: Path, recipe: Recipe, *, code: int) -> tuple[str, str, str]:
    """Return the error with which a recipe is refused."""
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    finished = run_cxr("train", "--config", config, "--out", tmp_path / "run", "--quiet", "--json")
    assert finished.stdout == ""
    return read_error(finished, code=code)


def own_cache(root: Path) -> Recipe:
    return images(root, data__cache_dir=str(root.parent / "cache"))


def copy_images(radiographs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(radiographs, tmp_path / "radiographs"))
