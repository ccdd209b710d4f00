from __future__ import annotations

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
import sklearn
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from cxr.digests.canonical import canonical_json
from cxr.evaluation.metrics import compute_auroc, compute_metrics, divide
from cxr.records.figures import SCALARS
from cxr.records.predictions import Prediction
from properties.strategies import examples, prediction_sets

CLASSES = ("A", "B", "C")


def predict(label, probabilities, decision=None):
    return Prediction(
        path="x",
        label=label,
        decision=decision or CLASSES[list(probabilities).index(max(probabilities))],
        logits=(),
        probabilities=tuple(probabilities),
    )


def require(figure, oracle):
    """Compare a figure with scikit-learn's, which is NaN where it is not defined."""
    if math.isnan(oracle):
        assert figure is None
    else:
        assert figure == pytest.approx(oracle, rel=1e-12, abs=1e-12)


def compare_with_scikit_learn(classes, predictions):
    found = compute_metrics(classes, predictions)
    numbers = list(range(len(classes)))
    truth = np.array([classes.index(row.label) for row in predictions])
    decided = np.array([classes.index(row.decision) for row in predictions])
    scores = np.array([row.probabilities for row in predictions])
    assert found.num_images == len(predictions)
    confusion = sklearn.metrics.confusion_matrix(truth, decided, labels=numbers)
    assert found.confusion == tuple(map(tuple, confusion.tolist()))
    require(found.accuracy, np.mean(truth == decided))
    require(found.balanced_accuracy, sklearn.metrics.balanced_accuracy_score(truth, decided))
    table = sklearn.metrics.precision_recall_fscore_support(
        truth, decided, labels=numbers, zero_division=np.nan
    )
    require(found.macro_f1, np.nanmean(table[2]))
    for name, precision, recall, f1, support in zip(classes, *table, strict=True):
        one = found.per_class[name]
        require(one.precision, precision)
        require(one.recall, recall)
        require(one.f1, f1)
        assert one.support == support
    aurocs = [math.nan] * len(classes)
    for number, name in enumerate(classes):
        if len(set(truth == number)) > 1:
            aurocs[number] = sklearn.metrics.roc_auc_score(truth == number, scores[:, number])
        require(found.per_class[name].auroc, aurocs[number])
    require(found.auroc, np.mean(aurocs))
    # scikit-learn cuts probabilities at another place than we do.
    softened = (scores + 0.25) / (1 + 0.25 * len(classes))
    rows = [
        dataclasses.replace(row, probabilities=tuple(map(float, soft)))
        for row, soft in zip(predictions, softened, strict=True)
    ]
    oracle = sklearn.metrics.log_loss(truth, softened, labels=numbers)
    require(compute_metrics(classes, rows).loss, oracle)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@given(prediction_sets())
@examples(max_examples=300)
def test_every_figure_is_that_of_scikit_learn(drawn):
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        compare_with_scikit_learn(*drawn)


@given(prediction_sets(), st.randoms(use_true_random=False))
@examples(max_examples=50)
def test_the_order_of_images_does_not_change_one_bit(drawn, random):
    classes, predictions = drawn
    shuffled = random.sample(predictions, len(predictions))
    assert compute_metrics(classes, shuffled) == compute_metrics(classes, predictions)


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=6),
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=6),
)
@examples(max_examples=100)
def test_auroc_is_the_share_of_pairs_that_are_won_ties_half(positives, negatives):
    pairs = list(itertools.product(positives, negatives))
    won = sum(2 * (a > b) + (a == b) for a, b in pairs)
    assert compute_auroc(positives, negatives) == divide(won, 2 * len(pairs))


def test_figures_by_hand():
    predictions = [
        predict("A", (0.5, 0.25, 0.25)),
        predict("A", (0.25, 0.5, 0.25)),
        predict("B", (0.25, 0.5, 0.25)),
    ]
    found = compute_metrics(CLASSES, predictions)
    assert found.confusion == ((1, 1, 0), (0, 1, 0), (0, 0, 0))
    assert found.accuracy == 2 / 3
    assert found.balanced_accuracy == 0.75
    assert found.macro_f1 == pytest.approx(2 / 3)
    assert found.loss == pytest.approx((math.log(2) + math.log(4) + math.log(2)) / 3)
    assert found.per_class["A"].precision == 1.0
    assert found.per_class["A"].recall == 0.5
    assert found.per_class["A"].auroc == 0.75
    assert found.per_class["C"].support == 0
    assert (found.per_class["C"].precision, found.per_class["C"].f1) == (None, None)
    assert found.auroc is None


def test_what_is_not_defined_is_none_and_never_zero():
    found = compute_metrics(CLASSES, [])
    assert found.num_images == 0
    assert set(found.scalars().values()) == {None}
    assert {one.auroc for one in found.per_class.values()} == {None}
    assert divide(0, 0) is None
    assert divide(0, 3) == 0.0


def test_a_class_that_was_never_right_has_an_f1_of_zero():
    found = compute_metrics(CLASSES, [predict("A", (0.25, 0.5, 0.25))])
    assert (found.per_class["A"].f1, found.per_class["B"].f1) == (0.0, 0.0)
    assert found.per_class["C"].f1 is None
    assert found.macro_f1 == 0.0


def test_a_probability_of_zero_gives_a_finite_loss():
    assert compute_metrics(CLASSES, [predict("A", (0.0, 1.0, 0.0))]).loss == pytest.approx(
        1022 * math.log(2)
    )


def test_ratios_are_rounded_once():
    assert divide(1, 3) == 1 / 3
    assert divide(10**25 + 1, 3 * 10**25) == 1 / 3


def test_figures_are_plain_json():
    content = compute_metrics(CLASSES, [predict("A", (0.5, 0.25, 0.25))]).to_json()
    assert json.loads(canonical_json(content)) == content
    assert content.keys() == {*SCALARS, "num_images", "per_class", "confusion"}
    assert content["per_class"]["A"] == {
        "support": 1,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "auroc": None,
    }
