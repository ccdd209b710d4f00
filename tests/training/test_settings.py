"""Every way to train runs, does what it says, and repeats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from support.recipes import STEPS_PER_EPOCH, early, images, vectors
from support.runs import FinishedRuns, Run

EARLY = early()

LAST = vectors(
    fill_memory=True,
    train={
        "epochs": 3,
        "batch_size": 20,
        "optimizer": "adamw",
        "betas": [0.8, 0.99],
        "weight_decay": 0.1,
        "schedule": "one_cycle",
        "class_weights": [1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 1.0],
        "precision": "bfloat16",
        "monitor": "loss",
        "keep_weights": "last",
    },
)


def test_early_stopping_sgd_and_balanced_classes_repeat(finished_run: FinishedRuns):
    assert finished_run(EARLY).digests == finished_run(EARLY, tag="second").digests


def test_training_stops_once_the_figure_no_longer_improves(finished_run: FinishedRuns):
    run = finished_run(EARLY)
    epochs = read_metrics(run)
    accuracies = [epoch["val"]["accuracy"] for epoch in epochs]
    best = accuracies.index(max(accuracies))
    assert len(epochs) < EARLY["train"]["epochs"]
    assert len(epochs) == best + 1 + EARLY["train"]["patience"]
    assert run.manifest["selection"] == {
        "epoch": best,
        "figure": max(accuracies),
        "epochs_since": EARLY["train"]["patience"],
        "weights_epoch": best,
    }
    assert run.manifest["trace"]["steps"] == len(epochs) * STEPS_PER_EPOCH


def test_the_weights_of_the_best_epoch_are_kept(finished_run: FinishedRuns):
    run = finished_run(EARLY)
    best = run.manifest["selection"]["epoch"]
    assert equal_weights(weights_of(run), checkpoint_of(run, best))
    assert not equal_weights(weights_of(run), checkpoint_of(run, best + 1))


def test_bfloat16_one_cycle_and_given_class_weights_repeat(finished_run: FinishedRuns):
    assert finished_run(LAST).digests == finished_run(LAST, tag="second").digests


def test_the_last_weights_are_kept_where_they_are_asked_for(finished_run: FinishedRuns):
    run = finished_run(LAST)
    assert equal_weights(weights_of(run), checkpoint_of(run, 2))
    assert not equal_weights(weights_of(run), checkpoint_of(run, 1))
    assert all(value.dtype == np.float32 for value in weights_of(run).values())


def test_filling_fresh_memory_is_a_choice_that_is_recorded(finished_run: FinishedRuns):
    switch = "torch.fill_uninitialized_memory"
    assert finished_run(LAST).manifest["controls"][switch] is True
    assert finished_run(vectors()).manifest["controls"][switch] is False


def test_only_the_newest_checkpoints_are_kept(finished_run: FinishedRuns):
    names = sorted(path.name for path in (finished_run(LAST).directory / "checkpoints").iterdir())
    assert names == [
        f"step-{step:09d}.{suffix}" for step in (6, 9) for suffix in ("json", "safetensors")
    ]


def test_a_frozen_backbone_stays_as_it_was_initialised(
    finished_run: FinishedRuns, radiographs: Path
):
    run = finished_run(images(radiographs, model__freeze="backbone", model__drop_rate=0.0))
    first, second = checkpoint_of(run, 0), checkpoint_of(run, 1)
    changed = {name for name in first if first[name].tobytes() != second[name].tobytes()}
    # Running statistics of normalisation are part of the backbone.
    assert changed == {"fc.weight", "fc.bias"}
    assert any(name.endswith("running_mean") for name in first)


def test_shards_change_gradients_by_rounding_alone_and_repeat(finished_run: FinishedRuns):
    # One step of plain descent with a rate of 1: weights differ as the gradients do.
    step: dict[str, Any] = {
        "model__drop_rate": 0.0,
        "train__optimizer": "sgd",
        "train__momentum": 0.0,
        "train__lr": 1.0,
        "train__epochs": 1,
        "train__batch_size": 60,
        "train__keep_weights": "last",
    }
    whole, halves = (finished_run(vectors(**step, train__shards=num)) for num in (1, 2))
    assert halves.digests == finished_run(vectors(**step, train__shards=2), tag="second").digests
    assert whole.digests != halves.digests
    a, b = weights_of(whole), weights_of(halves)
    largest = max(float(np.abs(a[name] - b[name]).max()) for name in a)
    assert 0 < largest < 1e-6


def read_metrics(run: Run) -> list[dict[str, Any]]:
    lines = (run.directory / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def weights_of(run: Run) -> dict[str, np.ndarray]:
    return load_file(run.directory / "model.safetensors")


def checkpoint_of(run: Run, epoch: int) -> dict[str, np.ndarray]:
    """Return the weights that a run had after an epoch."""
    name = f"step-{(epoch + 1) * STEPS_PER_EPOCH:09d}.safetensors"
    tensors = load_file(run.directory / "checkpoints" / name)
    return {
        name.removeprefix("model/"): value
        for name, value in tensors.items()
        if name.startswith("model/")
    }


def equal_weights(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    assert a.keys() == b.keys()
    return all(a[name].tobytes() == b[name].tobytes() for name in a)
