"""Validation that is held out of training keeps patients together and leaves the test split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.program import read_answer, run_cxr
from support.recipes import GROUPS, images, write_recipe
from support.runs import FinishedRuns


@pytest.fixture(scope="module")
def samples(finished_run: FinishedRuns, radiographs: Path) -> list[dict[str, Any]]:
    """The samples of a run that holds out two fifths of its patients."""
    recipe = images(
        radiographs,
        data__group_pattern=GROUPS,
        data__validation_fraction=0.4,
        model={"name": "mlp"},
        train__keep_weights="last",
    )
    lock = finished_run(recipe).directory / "data.lock.json"
    return json.loads(lock.read_bytes())["samples"]


def test_a_patient_is_never_in_training_and_validation(samples: list[dict[str, Any]]):
    groups = {split: {s["group"] for s in samples if s["split"] == split} for split in SPLITS}
    assert groups["train"]
    assert groups["val"]
    assert not groups["train"] & groups["val"]
    # There are patients with two images: without the pattern they could be parted.
    assert len(groups["train"]) < sum(s["split"] == "train" for s in samples)


def test_training_and_validation_directories_are_pooled(samples: list[dict[str, Any]]):
    places = {(s["path"].partition("/")[0], s["split"]) for s in samples}
    assert places == {(a, b) for a in ("train", "val") for b in ("train", "val")} | {
        ("test", "test")
    }


def test_the_test_split_is_untouched(
    samples: list[dict[str, Any]], finished_run: FinishedRuns, radiographs: Path
):
    lock = finished_run(images(radiographs)).directory / "data.lock.json"
    untouched = json.loads(lock.read_bytes())["samples"]
    paths = [
        sorted((s["path"], s["sha256"], s["label"]) for s in found if s["split"] == "test")
        for found in (samples, untouched)
    ]
    assert paths[0] == paths[1]
    assert len(paths[0]) == 8


def test_only_the_split_moves_from_seed_to_seed(tmp_path: Path, radiographs: Path):
    recipe = images(
        radiographs,
        data__group_pattern=GROUPS,
        data__validation_fraction=0.4,
        model={"name": "mlp"},
        train__epochs=1,
    )
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    out = tmp_path / "out"
    options = ["--seeds", "5,6", "--only", "split", "--jobs", "2", "--config", config, "--out", out]
    finished = run_cxr("repeat", *options, "--json", "-q")
    assert finished.returncode == 0, finished.stderr
    answer = read_answer(finished)
    assert answer["verdict"] == "distribution"
    assert (answer["seeds"]["only"], answer["seeds"]["seeds"]) == ("split", [5, 6])
    # Both predict the same images, for the test split has a directory of its own.
    assert (answer["seeds"]["agreement"]["num_images"], answer["n"]) == (8, 2)
    assert answer["seeds"]["agreement"]["left_out"] == 0
    groups = []
    for run in map(Path, answer["runs"]):
        found = json.loads((run / "data.lock.json").read_bytes())["samples"]
        by_split = {split: {s["group"] for s in found if s["split"] == split} for split in SPLITS}
        assert not by_split["train"] & by_split["val"]
        groups.append(by_split["val"])
    assert groups[0] != groups[1]
    first, second = (
        json.loads((Path(run) / "ledger.jsonl").read_text().splitlines()[0])
        for run in answer["runs"]
    )
    assert first == second
    assert run_cxr("verify", out).returncode == 0


def test_a_run_keeps_its_splits_when_its_lock_is_gone(tmp_path: Path, radiographs: Path):
    recipe = images(
        radiographs,
        data__group_pattern=GROUPS,
        data__validation_fraction=0.4,
        data__lock="set.lock.json",
        model={"name": "mlp"},
        train__keep_weights="last",
    )
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    assert run_cxr("data", "lock", config, "-q").returncode == 0
    # Somebody decided otherwise than the rule; that is what counts.
    lock = tmp_path / "set.lock.json"
    tree = json.loads(lock.read_bytes())
    groups = {row[8]: row[9] for row in tree["samples"] if row[9] != "test"}
    group = next(group for group, split in sorted(groups.items()) if split == "val")
    for row in tree["samples"]:
        if row[8] == group and row[9] != "test":
            row[9] = "train"
    lock.write_text(json.dumps(tree))
    run = tmp_path / "run"
    trained = run_cxr("train", "-q", "--config", config, "--out", run)
    assert (trained.returncode, trained.stderr) == (0, "")
    recorded = json.loads((run / "data.lock.json").read_bytes())["samples"]
    assert {one["split"] for one in recorded if one["group"] == group} >= {"train"}
    lock.unlink()
    answer = read_answer(run_cxr("evaluate", run, "--json", "-q"))
    assert answer["same_as_run"] is True
    plan = read_answer(run_cxr("reproduce", run, "--plan", "--json", "-q"))
    assert [one for one in plan["plan"]["items"] if one["part"] == "data"] == []


SPLITS = ("train", "val", "test")
