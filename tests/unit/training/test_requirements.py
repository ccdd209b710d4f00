from __future__ import annotations

import json

import numpy as np
import pytest

from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset
from cxr.errors import ConfigError, DataError
from cxr.records.data_lock import DataLock, Sample
from cxr.training.requirements import require_enough_samples


def build(**train):
    tree = {
        "seed": 1,
        "threads": 1,
        "data": {"source": "folder", "root": "/data", "classes": ["A", "B"]},
        "model": {"name": "test_resnet"},
        "train": {"epochs": 1, "batch_size": 4, **train},
    }
    return RunConfig.model_validate_json(json.dumps(tree))


def hold(**splits):
    """Return a data set with images of the classes that are named for each split."""
    samples = tuple(
        Sample(
            path=f"{split}/{label}/{number}.png",
            bytes=1,
            sha256=f"sha256:{number}",
            label=label,
            group=str(number),
            split=split,
        )
        for split, labels in splits.items()
        for number, label in enumerate(labels)
    )
    lock = DataLock(classes=("A", "B"), samples=samples)
    return Dataset(lock=lock, images_NHWC=np.zeros((len(samples), 8, 8, 1), dtype=np.uint8))


def test_enough_samples_are_enough():
    require_enough_samples(build(), hold(train="AABB", val="AB", test="A"))


def test_a_batch_larger_than_the_training_split_is_refused():
    with pytest.raises(ConfigError, match="3 training samples are fewer than a batch of 4"):
        require_enough_samples(build(), hold(train="AAB", val="AB", test="A"))


def test_a_class_without_training_samples_is_refused():
    with pytest.raises(DataError, match="no training sample of the class B"):
        require_enough_samples(build(), hold(train="AAAA", val="AB", test="A"))


def test_a_split_that_is_to_be_evaluated_must_have_images():
    with pytest.raises(DataError, match="no images in the split test"):
        require_enough_samples(build(), hold(train="AABB", val="AB"))


@pytest.mark.parametrize("choice", [{}, {"keep_weights": "last", "patience": 2}])
def test_weights_that_are_chosen_by_validation_need_every_class_there(choice):
    with pytest.raises(DataError, match="validation has no image of B"):
        require_enough_samples(build(**choice), hold(train="AABB", val="A", test="A"))


def test_the_last_weights_need_no_validation():
    require_enough_samples(build(keep_weights="last"), hold(train="AABB", test="A"))


def test_several_labels_need_a_loss_that_asks_for_each():
    dataset = hold(train=["A|B", "A", "B", "-"], val=["A", "B"], test=["A"])
    with pytest.raises(ConfigError, match="none or several of the classes"):
        require_enough_samples(build(), dataset)
    require_enough_samples(build(loss="bce"), dataset)


def test_a_label_that_validation_lacks_is_left_out_of_its_figures_where_another_is_there():
    split = {"train": ["A|B", "A", "B", "-"], "test": ["A"]}
    require_enough_samples(build(loss="bce"), hold(val=["A", "-"], **split))
    with pytest.raises(DataError, match="validation has no image of A and B"):
        require_enough_samples(build(loss="bce"), hold(val=["-", "A?"], **split))
