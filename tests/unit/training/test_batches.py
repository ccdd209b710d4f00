from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from cxr.config.schema import RunConfig
from cxr.data.dataset import Split
from cxr.data.order import derive_epoch_batches
from cxr.training.batches import iterate_batches
from cxr.training.trace import trace_batch


def build(**changes):
    tree = {
        "seed": 3,
        "threads": 1,
        "data": {"source": "synthetic", "image_size": 28},
        "model": {"name": "mlp"},
        "train": {
            "epochs": 1,
            "batch_size": 4,
            "augment": {"flip": True, "pad": 2, "brightness": 0.2},
        },
        **changes,
    }
    return RunConfig.model_validate_json(json.dumps(tree))


@pytest.fixture
def split():
    images = (np.arange(18 * 64) * 31 % 256).astype(np.uint8).reshape(18, 8, 8, 1)
    return Split(
        name="train",
        classes=tuple("ABCDE"),
        paths=tuple(map(str, range(18))),
        label_texts=tuple("ABCDE"[number % 5] for number in range(18)),
        images_NHWC=images,
        labels=np.arange(18, dtype=np.int64) % 5,
    )


def collect(config, split, epoch=0):
    return [
        (batch.step, batch.epoch, batch.indices.tolist(), batch.images_BCHW, batch.labels.tolist())
        for batch in iterate_batches(config, split, epoch)
    ]


def are_equal(a, b):
    return all(
        x[:3] == y[:3] and torch.equal(x[3], y[3]) and x[4] == y[4]
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_batches_are_the_same_for_any_number_of_workers(split, workers):
    alone = collect(build(), split, epoch=2)
    assert are_equal(collect(build(workers=workers), split, epoch=2), alone)


def test_batches_follow_the_order_and_count_steps_over_epochs(split):
    batches = collect(build(), split, epoch=2)
    order = derive_epoch_batches(3, 2, num_samples=18, batch_size=4)
    assert [batch[0] for batch in batches] == [8, 9, 10, 11]
    assert [batch[2] for batch in batches] == order.tolist()
    for _, _, indices, images, labels in batches:
        assert labels == split.labels[indices].tolist()
        assert images.shape == (4, 1, 8, 8)
        assert images.dtype == torch.float32


def test_a_sample_looks_the_same_wherever_it_stands_in_the_epoch(split):
    small, large = (
        build(),
        build(train={**json.loads(build().train.model_dump_json()), "batch_size": 6}),
    )
    seen = {}
    for config in (small, large):
        for _, _, indices, images, _ in collect(config, split):
            for index, image in zip(indices, images, strict=True):
                seen.setdefault(index, []).append(image)
    twice = [images for images in seen.values() if len(images) == 2]
    assert len(twice) >= 16
    assert all(torch.equal(*images) for images in twice)


def test_the_next_epoch_shows_the_same_sample_otherwise(split):
    looks = [
        {
            index: image.numpy().tobytes()
            for _, _, indices, images, _ in collect(build(), split, epoch)
            for index, image in zip(indices, images, strict=True)
        }
        for epoch in (0, 1)
    ]
    shared = looks[0].keys() & looks[1].keys()
    assert len(shared) >= 14
    assert sum(looks[0][index] == looks[1][index] for index in shared) <= 2


def test_samples_of_a_batch_are_changed_differently(split):
    same = Split(
        name="train",
        classes=split.classes,
        paths=split.paths,
        label_texts=split.label_texts,
        images_NHWC=np.repeat(split.images_NHWC[:1], 18, axis=0),
        labels=split.labels,
    )
    for _, _, _, images, _ in collect(build(), same):
        assert len({image.numpy().tobytes() for image in images}) == 4


def test_a_loss_that_asks_for_each_label_gets_an_answer_for_each(split):
    train = {"epochs": 1, "batch_size": 4, "loss": "bce"}
    for batch in iterate_batches(build(train=train), split, 0):
        assert batch.labels.dtype == torch.float32
        assert batch.labels.tolist() == [
            [float(index % 5 == column) for column in range(5)] for index in batch.indices
        ]
        assert batch.known.dtype == torch.bool
        assert batch.known.all()


def test_the_trace_of_a_batch_holds_what_is_known_and_only_where_it_is_asked(split):
    (batch, *_) = iterate_batches(build(), split, 0)
    assert set(trace_batch(batch)) == {"images", "labels"}
    train = {"epochs": 1, "batch_size": 4, "loss": "bce"}
    (batch, *_) = iterate_batches(build(train=train), split, 0)
    before = trace_batch(batch)
    batch.known[0, 0] = False
    after = trace_batch(batch)
    assert [name for name in before if before[name] != after[name]] == ["known"]


def list_batches(split, **changes):
    return list(iterate_batches(build(**changes), split, 0))


def test_order_and_augmentation_have_roots_of_their_own(split):
    plain, other = list_batches(split), list_batches(split, seed=5)
    ordered, augmented = (list_batches(split, streams={name: 5}) for name in ("order", "augment"))
    for here, there, moved, changed in zip(plain, other, ordered, augmented, strict=True):
        assert moved.indices.tolist() == there.indices.tolist()
        assert changed.indices.tolist() == here.indices.tolist()
    assert [one.indices.tolist() for one in plain] != [one.indices.tolist() for one in ordered]
    assert not all(
        torch.equal(a.images_BCHW, b.images_BCHW) for a, b in zip(plain, augmented, strict=True)
    )
    whole = list_batches(split, streams={"order": 5, "augment": 5})
    for wanted, found in zip(other, whole, strict=True):
        assert torch.equal(wanted.images_BCHW, found.images_BCHW)
