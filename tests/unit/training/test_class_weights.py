from __future__ import annotations

import json

import numpy as np
import pytest
import sklearn.utils
import torch

from cxr.config.schema import RunConfig
from cxr.training.loss import derive_class_weights


def build(weights):
    tree = {
        "seed": 1,
        "threads": 1,
        "data": {"source": "synthetic", "image_size": 28},
        "model": {"name": "mlp"},
        "train": {"epochs": 1, "batch_size": 4, "class_weights": weights},
    }
    return RunConfig.model_validate_json(json.dumps(tree))


def test_no_weights_are_none():
    assert derive_class_weights(build("none"), {"a": 1, "b": 3}) is None


def test_given_weights_are_taken_in_class_order():
    found = derive_class_weights(build([0.5, 2]), {"a": 1, "b": 3})
    assert found.dtype == torch.float32
    assert found.tolist() == [0.5, 2.0]


def test_balanced_weights_are_those_of_scikit_learn():
    counts = {"a": 2, "b": 5, "c": 13}
    labels = np.repeat(list(counts), list(counts.values()))
    wanted = sklearn.utils.compute_class_weight(
        "balanced", classes=np.array(list(counts)), y=labels
    )
    assert derive_class_weights(build("balanced"), counts).tolist() == pytest.approx(
        wanted.tolist()
    )
