"""Validation that is held out of training keeps patients together and leaves the test split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.recipes import GROUPS, images
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


SPLITS = ("train", "val", "test")
