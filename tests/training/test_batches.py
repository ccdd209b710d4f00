"""Batches are a pure function of seed, epoch and sample; augmentation differs where it must."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cxr.config.schema import RunConfig
from cxr.data.dataset import Split
from cxr.training import batches
from support.recipes import images

NUM = 6


def test_the_same_sample_looks_different_in_the_next_epoch():
    first, second = pictures_of_an_epoch(0), pictures_of_an_epoch(1)
    assert count_equal(first, second) == 0
    assert count_equal(first, pictures_of_an_epoch(0)) == NUM


def test_an_augmentation_that_ignores_the_epoch_would_be_seen(monkeypatch: pytest.MonkeyPatch):
    original = batches.augment_images
    monkeypatch.setattr(
        batches, "augment_images", lambda *a, **options: original(*a, **{**options, "epoch": 0})
    )
    assert count_equal(pictures_of_an_epoch(0), pictures_of_an_epoch(1)) == NUM


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_equal_images_look_different_in_one_epoch_whoever_prepares_them(workers: int):
    pictures = pictures_of_an_epoch(0, workers=workers)
    assert len({picture.tobytes() for picture in pictures.values()}) == NUM
    assert count_equal(pictures, pictures_of_an_epoch(0, workers=0)) == NUM


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_neither_batch_size_nor_order_changes_what_a_sample_becomes(batch_size: int):
    whole = pictures_of_an_epoch(0)
    assert count_equal(whole, pictures_of_an_epoch(0, batch_size=batch_size)) == NUM


def test_the_order_differs_between_epochs_and_holds_each_sample_once():
    orders = [order_of_an_epoch(epoch) for epoch in range(4)]
    assert len({tuple(order) for order in orders}) == len(orders)
    assert all(sorted(order) == list(range(NUM)) for order in orders)


def test_without_augmentation_a_sample_stays_as_it_is():
    settings = {"train__augment": {}}
    first, second = (pictures_of_an_epoch(epoch, **settings) for epoch in (0, 1))
    assert count_equal(first, second) == NUM
    assert len({picture.tobytes() for picture in first.values()}) == 1


def pictures_of_an_epoch(epoch: int, **changes: object) -> dict[int, np.ndarray]:
    """Return, by sample, the picture that a step of an epoch sees."""
    return {
        int(index): picture
        for batch in batches_of_an_epoch(epoch, **changes)
        for index, picture in zip(batch.indices, batch.images_BCHW.numpy(), strict=True)
    }


def order_of_an_epoch(epoch: int) -> list[int]:
    return [int(index) for batch in batches_of_an_epoch(epoch) for index in batch.indices]


def batches_of_an_epoch(
    epoch: int, *, workers: int = 0, batch_size: int = NUM, **changes: object
) -> list[batches.Batch]:
    recipe = images(Path("unused"), workers=workers, train__batch_size=batch_size, **changes)
    config = RunConfig.model_validate_json(json.dumps(recipe), strict=True)
    one = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 1), dtype=np.uint8)
    split = Split(
        name="train",
        classes=("a",),
        paths=tuple(str(index) for index in range(NUM)),
        label_texts=("a",) * NUM,
        images_NHWC=np.repeat(one, NUM, axis=0),
        labels=np.zeros(NUM, dtype=np.int64),
    )
    return list(batches.iterate_batches(config, split, epoch))


def count_equal(a: dict[int, np.ndarray], b: dict[int, np.ndarray]) -> int:
    assert a.keys() == b.keys()
    return sum(np.array_equal(a[index], b[index]) for index in a)
