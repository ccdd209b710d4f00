"""A set in one npz file, trained on and looked at again from another place."""

from __future__ import annotations

import json
import shutil

import numpy as np

from support.data_sets import write_npz
from support.program import read_error, run_cxr
from support.recipes import change, vectors, write_recipe

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
    assert lock["samples"][0]["bytes"] == 28 * 28

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
