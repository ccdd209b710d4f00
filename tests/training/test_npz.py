"""A set in one npz file, trained on and looked at again from another place."""

from __future__ import annotations

import json
import shutil

import numpy as np
from PIL import Image

from cxr.records.predictions import load_predictions
from support.data_sets import write_npz
from support.program import read_answer, read_error, run_cxr
from support.recipes import change, images, vectors, write_recipe

DATA = {"source": "npz", "classes": ["normal", "pneumonia"], "image_size": 28}


def test_a_run_on_an_npz_file_is_checked_against_the_file_wherever_it_lies(tmp_path):
    file = tmp_path / "set.npz"
    write_npz(file)
    recipe = change(vectors(), {"data": {**DATA, "root": str(file)}, "train__batch_size": 4})
    config = write_recipe(tmp_path / "c.yaml", recipe)
    finished = run_cxr("train", "--config", config, "--out", tmp_path / "run", "-q")
    assert finished.returncode == 0, finished.stderr
    lock = json.loads((tmp_path / "run" / "data.lock.json").read_bytes())
    assert [one["path"] for one in lock["samples"]][:2] == ["test/0000000", "test/0000001"]
    assert lock["samples"][0]["bytes"] == len("28 28 |u1\n") + 28 * 28

    moved = tmp_path / "moved.npz"
    shutil.move(file, moved)
    lost = run_cxr("evaluate", tmp_path / "run", "-q")
    assert "moved: the data is not there" in read_error(lost, code=3)[0]
    found = run_cxr("evaluate", tmp_path / "run", "--data", moved, "-q")
    assert "identical to the run's own" in found.stdout, found.stderr

    with np.load(moved) as arrays:
        changed = {name: arrays[name].copy() for name in arrays.files}
    changed["val_images"][0, 0, 0] ^= 1
    np.savez(moved, **changed)
    other = run_cxr("evaluate", tmp_path / "run", "--data", moved, "-q")
    assert read_error(other, code=3)[0] == "the data set is not the one that the run used"


def reshape_images(arrays, shape):
    """Return arrays whose images have the same bytes in another shape."""
    return {
        name: value.reshape(-1, *shape) if name.endswith("images") else value
        for name, value in arrays.items()
    }


def test_the_same_bytes_in_another_shape_are_other_data(tmp_path):
    file, lock = tmp_path / "set.npz", tmp_path / "set.lock.json"
    write_npz(file)
    with np.load(file) as arrays:
        held = dict(arrays)
    data = {**DATA, "root": str(file), "cache_dir": str(tmp_path / "cache"), "image_size": 32}
    recipe = change(vectors(), {"data": data, "train__batch_size": 4})
    config = write_recipe(tmp_path / "c.yaml", recipe)
    train(config, tmp_path / "square")
    locked = run_cxr("data", "lock", config, "--out", lock, "-q")
    assert locked.returncode == 0, locked.stderr

    np.savez(file, **reshape_images(held, (14, 56)))
    report = run_cxr("data", "verify", config, "--lock", lock, "-q", "--json")
    kinds = {one["kind"] for one in json.loads(report.stdout)["problems"]}
    assert (report.returncode, "changed" in kinds) == (1, True), report.stdout
    train(config, tmp_path / "wide")
    digests = {
        json.loads((tmp_path / run / "manifest.json").read_bytes())["recipe"]["data_digest"]
        for run in ("square", "wide")
    }
    pixels = {path.read_bytes() for path in (tmp_path / "cache").rglob("pixels.u8")}
    assert (len(digests), len(pixels)) == (2, 2)


def train(config, run):
    finished = run_cxr("train", "--config", config, "--out", run, "-q")
    assert finished.returncode == 0, finished.stderr


def test_what_is_exported_of_it_predicts_the_same_pictures_as_files(tmp_path):
    file = tmp_path / "set.npz"
    write_npz(file)
    data = {**DATA, "root": str(file)}
    # At strict bits depend on the batch, and predict takes one image at a time.
    changes = {"train": {"epochs": 1, "batch_size": 4}, "evaluate": {"batch_size": 1}}
    recipe = images(file, data=data, **changes)
    config = write_recipe(tmp_path / "c.yaml", recipe)
    train(config, tmp_path / "run")
    exported = run_cxr("export", tmp_path / "run", tmp_path / "export", "-q")
    assert exported.returncode == 0, exported.stderr
    with np.load(file) as arrays:
        for number, pixels in enumerate(arrays["test_images"]):
            Image.fromarray(pixels).save(tmp_path / f"{number:07d}.png")
    pictures = sorted(tmp_path.glob("*.png"))
    answer = read_answer(run_cxr("predict", tmp_path / "export", *pictures, "--json"))
    recorded = load_predictions(tmp_path / "run" / "predictions.csv")[1]
    assert [row.path for row in recorded] == [f"test/{one.stem}" for one in pictures]
    said = [[float(logit) for logit in row.logits] for row in recorded]
    assert [one["logits"] for one in answer["images"]] == said
