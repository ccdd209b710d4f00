from __future__ import annotations

import dataclasses
import decimal
import functools
import itertools
import json
import math

import numpy as np
import pytest
import sklearn
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json
from cxr.evaluation.figures import compute_auroc, divide
from cxr.evaluation.log_odds import derive_log_odds
from cxr.evaluation.metrics import compute_metrics
from cxr.evaluation.predict import softmax
from cxr.records.figures import SCALARS
from cxr.records.predictions import Prediction
from properties.strategies import examples, prediction_sets

CLASSES = ("A", "B", "C")


def predict(label, *logits):
    """Build a prediction with the probabilities that `predict_split` gives it."""
    values = np.array(logits, dtype=np.float32)
    return Prediction(
        path="x",
        label=label,
        decision=CLASSES[logits.index(max(logits))],
        logits=tuple(map(str, values)),
        probabilities=softmax(values),
    )


def predict_shares(label, *shares):
    """Build a prediction whose probabilities are about these."""
    return predict(label, *map(math.log, shares))


def require(figure, oracle):
    """Compare a figure with scikit-learn's, which is NaN where it is not defined."""
    if math.isnan(oracle):
        assert figure is None
    else:
        assert figure == pytest.approx(oracle, rel=1e-12, abs=1e-12)


def compare_with_scikit_learn(classes, predictions):
    found = compute_metrics(classes, predictions, level=Level.STRICT)
    numbers = list(range(len(classes)))
    truth = np.array([classes.index(row.label) for row in predictions])
    decided = np.array([classes.index(row.decision) for row in predictions])
    logits = [tuple(map(float, row.logits)) for row in predictions]
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
            scores = [derive_exact_log_odds(row, number) for row in logits]
            aurocs[number] = sklearn.metrics.roc_auc_score(truth == number, scores)
        require(found.per_class[name].auroc, aurocs[number])
    require(found.auroc, np.mean(aurocs))
    # scikit-learn cuts probabilities off, so its oracle has logits that do not saturate.
    mild = np.array(logits, dtype=np.float32) / 20
    rows = [
        dataclasses.replace(row, logits=tuple(map(str, values)))
        for row, values in zip(predictions, mild, strict=True)
    ]
    powers = np.exp(mild.astype(float))
    shares = powers / powers.sum(axis=1, keepdims=True)
    oracle = sklearn.metrics.log_loss(truth, shares, labels=numbers)
    require(compute_metrics(classes, rows, level=Level.STRICT).loss, oracle)


@functools.cache
def derive_exact_log_odds(logits, index):
    """Return the log-odds from hundreds of digits, rounded once."""
    with decimal.localcontext(prec=400):
        values = [decimal.Decimal(value) for value in logits]
        others = [value.exp() for place, value in enumerate(values) if place != index]
        return float(values[index] - sum(others).ln())


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
    assert compute_metrics(classes, shuffled, level=Level.STRICT) == compute_metrics(
        classes, predictions, level=Level.STRICT
    )


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
        predict_shares("A", 0.5, 0.25, 0.25),
        predict_shares("A", 0.25, 0.5, 0.25),
        predict_shares("B", 0.25, 0.5, 0.25),
    ]
    found = compute_metrics(CLASSES, predictions, level=Level.STRICT)
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
    found = compute_metrics(CLASSES, [], level=Level.STRICT)
    assert found.num_images == 0
    assert set(found.scalars().values()) == {None}
    assert {one.auroc for one in found.per_class.values()} == {None}
    assert divide(0, 0) is None
    assert divide(0, 3) == 0.0


def test_a_class_that_was_never_right_has_an_f1_of_zero():
    found = compute_metrics(CLASSES, [predict_shares("A", 0.25, 0.5, 0.25)], level=Level.STRICT)
    assert (found.per_class["A"].f1, found.per_class["B"].f1) == (0.0, 0.0)
    assert found.per_class["C"].f1 is None
    assert found.macro_f1 == 0.0


# Logits that saturate probabilities


@pytest.mark.parametrize("more", [(), (0.0,)], ids=["two classes", "three classes"])
def test_images_whose_probabilities_saturate_are_still_told_apart(more):
    sick = [predict("B", -200, 200, *more), predict("B", -40, 60, *more)]
    well = [predict("A", -40, 50, *more), predict("A", 200, -200, *more)]
    assert {row.probabilities[1] for row in (*sick, well[0])} == {1.0}
    found = compute_metrics(CLASSES[: 2 + len(more)], sick + well, level=Level.STRICT)
    assert found.per_class["A"].auroc == found.per_class["B"].auroc == 1.0


def test_the_loss_of_a_probability_of_zero_is_the_distance_of_the_logits():
    assert compute_metrics(CLASSES, [predict("A", -500, 500, 0)], level=Level.STRICT).loss == 1000.0
    assert compute_metrics(
        CLASSES, [predict("A", -1e38, 1e38, 0)], level=Level.STRICT
    ).loss == pytest.approx(2e38)


def test_the_loss_of_a_probability_of_one_is_not_zero():
    found = compute_metrics(("A", "B"), [predict("A", 50, 0)], level=Level.STRICT).loss
    assert found == pytest.approx(math.exp(-50), rel=1e-12, abs=0)


def test_log_odds_of_two_classes_are_the_difference_of_the_float32_logits():
    a, b = (float(np.float32(text)) for text in ("0.1", "0.7"))
    assert derive_log_odds((a, b), 1) == b - a != 0.7 - 0.1
    loss = compute_metrics(("A", "B"), [predict("A", 0.1, 0.7)], level=Level.STRICT).loss
    assert loss == pytest.approx(math.log1p(math.exp(b - a)), rel=1e-15)


@given(st.permutations([-3.0, 0.25, 1.5, 2.0]), st.sampled_from([-64.0, 0.5, 1024.0]))
@examples(max_examples=30)
def test_neither_order_nor_a_common_shift_moves_log_odds_by_one_bit(others, shift):
    found = derive_log_odds([1.0 + shift, *(value + shift for value in others)], 0)
    assert found == derive_log_odds([1.0, -3.0, 0.25, 1.5, 2.0], 0)
    assert found == pytest.approx(derive_exact_log_odds((1.0, *others), 0), rel=1e-15)


def test_ratios_are_rounded_once():
    assert divide(1, 3) == 1 / 3
    assert divide(10**25 + 1, 3 * 10**25) == 1 / 3


def test_figures_are_plain_json():
    content = compute_metrics(
        CLASSES, [predict_shares("A", 0.5, 0.25, 0.25)], level=Level.STRICT
    ).to_json()
    assert json.loads(canonical_json(content)) == content
    assert content.keys() == {*SCALARS, "num_images", "per_class", "confusion"}
    assert content["per_class"]["A"] == {
        "support": 1,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "auroc": None,
    }
