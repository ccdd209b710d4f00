from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from cxr.config.schema import RunConfig
from cxr.data.dataset import Split
from cxr.data.normalise import derive_pixel_table, normalise_images
from cxr.errors import CxrError
from cxr.evaluation.log_odds import sigmoid
from cxr.evaluation.predict import _describe_each, predict_split, softmax

CLASSES = ("A", "B", "C")


def build(**changes):
    tree = {
        "seed": 1,
        "threads": 1,
        "data": {"source": "synthetic", "image_size": 28},
        "model": {"name": "mlp"},
        "train": {"epochs": 1, "batch_size": 4},
        **changes,
    }
    return RunConfig.model_validate_json(json.dumps(tree))


@pytest.fixture
def split():
    images = (np.arange(7 * 4 * 4) * 37 % 256).astype(np.uint8).reshape(7, 4, 4, 1)
    return Split(
        name="test",
        classes=CLASSES,
        paths=tuple(f"test/{number}.png" for number in range(7)),
        label_texts=tuple(CLASSES[number % 3] for number in range(7)),
        images_NHWC=images,
        labels=np.arange(7, dtype=np.int64) % 3,
    )


@pytest.fixture
def network():
    """A network whose answer to an image does not depend on the others, with dropout."""
    linear = nn.Linear(16, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.linspace(-1, 1, 48).reshape(3, 16))
        linear.bias.zero_()
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), linear).train()


def test_every_image_is_predicted_in_order_with_its_label(network, split):
    rows = predict_split(network, split, CLASSES, build())
    assert [row.path for row in rows] == list(split.paths)
    assert [row.label for row in rows] == ["A", "B", "C", "A", "B", "C", "A"]
    images = torch.from_numpy(normalise_images(split.images_NHWC, derive_pixel_table(0.5, 0.25)))
    with torch.no_grad():
        logits = network.eval()(images).numpy()
    for row, wanted in zip(rows, logits, strict=True):
        found = np.array(row.logits, dtype=np.float32)
        assert np.allclose(found, wanted, rtol=1e-5)
        assert row.decision == CLASSES[int(np.argmax(found))]
        assert row.probabilities == softmax(found)


@pytest.mark.parametrize("changes", [{"workers": 3}, {"workers": 1}])
def test_workers_do_not_change_one_bit(network, split, changes):
    few = build(evaluate={"batch_size": 2})
    assert predict_split(network, split, CLASSES, build(**changes, evaluate={"batch_size": 2})) == (
        predict_split(network, split, CLASSES, few)
    )


def test_the_network_keeps_the_mode_of_each_module(network, split):
    network[2].eval()
    before = [module.training for module in network.modules()]
    predict_split(network, split, CLASSES, build())
    assert [module.training for module in network.modules()] == before
    assert network[1].training


def test_dropout_is_off_and_the_global_generators_do_not_matter(network, split):
    first = predict_split(network, split, CLASSES, build())
    torch.rand(5)
    assert predict_split(network, split, CLASSES, build()) == first


def test_logits_are_text_that_reads_back_to_the_same_float32(network, split):
    rows = predict_split(network, split, CLASSES, build())
    for row in rows:
        for text in row.logits:
            assert str(np.float32(text)) == text


def test_of_equal_logits_the_first_class_is_decided(split):
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    nn.init.zeros_(network[1].weight)
    nn.init.zeros_(network[1].bias)
    rows = predict_split(network, split, CLASSES, build())
    assert {row.decision for row in rows} == {"A"}
    assert {row.probabilities for row in rows} == {(1 / 3,) * 3}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_network_that_gives_no_numbers_is_an_error_of_ours(network, split, value):
    with torch.no_grad():
        network[2].bias[1] = value
    with pytest.raises(CxrError):
        predict_split(network, split, CLASSES, build())


@pytest.mark.parametrize(
    ("logits", "wanted"),
    [
        ((0.0, 0.0), (0.5, 0.5)),
        ((1000.0, 0.0), (1.0, 0.0)),
        ((-1000.0, -1000.0, -1000.0), (1 / 3,) * 3),
        ((math.log(3.0), 0.0), (0.75, 0.25)),
    ],
)
def test_probabilities_are_the_softmax_in_float64(logits, wanted):
    found = softmax(np.array(logits, dtype=np.float32))
    assert found == pytest.approx(wanted, rel=1e-6)
    assert all(type(value) is float for value in found)


def test_progress_ends_at_all_images(network, split):
    heard = []

    class Listener:
        def advance(self, what, done, total):
            heard.append((what, done, total))

        def note(self, text):
            raise AssertionError(text)

    predict_split(network, split, CLASSES, build(evaluate={"batch_size": 3}), progress=Listener())
    assert heard == [("predicting test", done, 7) for done in (3, 6, 7)]


def test_labels_that_are_asked_for_by_themselves_are_decided_by_themselves(network, split):
    one = predict_split(network, split, CLASSES, build())
    each = predict_split(
        network, split, CLASSES, build(train={"epochs": 1, "batch_size": 4, "loss": "bce"})
    )
    assert [row.logits for row in each] == [row.logits for row in one]
    for row in each:
        assert row.asks_each_label
        values = [float(np.float32(value)) for value in row.logits]
        assert row.probabilities == tuple(map(sigmoid, values))
        decided = [name for name, value in zip(CLASSES, values, strict=True) if value >= 0]
        assert row.decision == ("|".join(decided) or "-")
    assert len({row.decision for row in each}) > 1


def test_a_probability_of_one_half_is_decided_for():
    row = _describe_each("x", "-", np.array([0, -1, 0], dtype=np.float32), CLASSES)
    assert row.decision == "A|C"
