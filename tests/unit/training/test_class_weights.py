from __future__ import annotations

import json

import numpy as np
import pytest
import sklearn.utils
import torch

from cxr.config.schema import RunConfig
from cxr.errors import DataError
from cxr.records.data_lock import DataLock, Sample
from cxr.training.loss import derive_class_weights


def hold(*labels):
    """Return a lock of training samples with these labels."""
    classes = ("a", "b", "c")
    samples = tuple(
        Sample(path=str(n), bytes=1, sha256="", label=label, group=str(n), split="train")
        for n, label in enumerate(labels)
    )
    return DataLock(classes=classes, samples=samples)


def build(weights, **train):
    tree = {
        "seed": 1,
        "threads": 1,
        "data": {"source": "synthetic", "image_size": 28},
        "model": {"name": "mlp"},
        "train": {"epochs": 1, "batch_size": 4, "class_weights": weights, **train},
    }
    return RunConfig.model_validate_json(json.dumps(tree))


def test_no_weights_are_none():
    assert derive_class_weights(build("none"), hold("a", "b")) is None


def test_given_weights_are_taken_in_class_order():
    found = derive_class_weights(build([0.5, 2]), hold("a", "b"))
    assert found.dtype == torch.float32
    assert found.tolist() == [0.5, 2.0]


def test_balanced_weights_are_those_of_scikit_learn():
    counts = {"a": 2, "b": 5, "c": 13}
    lock = hold(*(name for name, count in counts.items() for _ in range(count)))
    labels = np.repeat(list(counts), list(counts.values()))
    wanted = sklearn.utils.compute_class_weight(
        "balanced", classes=np.array(list(counts)), y=labels
    )
    assert derive_class_weights(build("balanced"), lock).tolist() == pytest.approx(wanted.tolist())


def test_balanced_labels_weigh_those_that_have_one_as_much_as_those_known_to_lack_it():
    lock = hold("a|b", "a|c?", "-", "a|b?", "a?|b?|c", "a", "b")
    found = derive_class_weights(build("balanced", loss="bce"), lock)
    assert found.tolist() == [2 / 4, 3 / 2, 5.0]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (["a|b", "c?"], "no training sample of the class c"),
        (["a|b|c", "a", "a|c?"], "no training sample without the class a"),
    ],
)
def test_a_label_that_all_or_none_have_cannot_be_balanced(labels, problem):
    with pytest.raises(DataError, match=problem):
        derive_class_weights(build("balanced", loss="bce"), hold(*labels))
