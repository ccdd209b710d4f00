from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import sklearn
import sklearn.calibration
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json
from cxr.evaluation.calibration import EDGES, NUM_BINS
from cxr.evaluation.elementary import PLATFORM
from cxr.evaluation.metrics import compute_metrics
from cxr.evaluation.outcomes import list_outcomes
from cxr.evaluation.split_figures import describe_split
from cxr.label_text import format_labels
from cxr.records.figures import ALL_SCALARS, CLASS_FIGURES, SCALARS
from cxr.records.predictions import Prediction
from properties.strategies import examples, prediction_sets

LABELS = ("A", "B", "C")

# Grids make ties, the ends are probabilities of exactly 0 and 1.
shares = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
answers = st.sampled_from([True, False, None])
label_images = st.lists(
    st.tuples(st.tuples(*[answers] * 3), st.tuples(*[shares] * 3)), min_size=1, max_size=12
)


def predict(truth, values):
    """Build a prediction of labels that are each decided by itself."""
    logits = [
        math.log(value / (1 - value)) if 0 < value < 1 else 999 * (value - 0.5) for value in values
    ]
    return Prediction(
        path="x",
        label=format_labels(LABELS, truth),
        decision=format_labels(LABELS, tuple(value >= 0.5 for value in values)),
        logits=tuple(str(np.float32(value)) for value in logits),
        probabilities=values,
        asks_each_label=True,
    )


def require(figure, oracle):
    """Compare a figure with the oracle's; None is what is undefined."""
    if oracle is None or math.isnan(oracle):
        assert figure is None
    else:
        assert figure == pytest.approx(oracle, rel=1e-12, abs=1e-12)


def derive_calibration_error(truth, confidences):
    """Return the calibration error from the curve of scikit-learn."""
    if not len(truth):
        return None
    true, mean = sklearn.calibration.calibration_curve(truth, confidences, n_bins=NUM_BINS)
    edges = np.linspace(0, 1, NUM_BINS + 1)
    places = np.searchsorted(edges[1:-1], confidences)
    counts = np.bincount(places, minlength=NUM_BINS)
    return float(np.sum(counts[counts > 0] * np.abs(true - mean)) / len(truth))


def require_one_against_rest(found, outcomes):
    """Compare the figures of one class or label with those of scikit-learn."""
    truth = np.array([one.is_true for one in outcomes], dtype=bool)
    decided = np.array([one.is_decided for one in outcomes], dtype=bool)
    chances = np.array([one.probability for one in outcomes])
    specificity = precision = brier = None
    if len(truth) and not truth.all():
        specificity = sklearn.metrics.recall_score(truth, decided, pos_label=False)
    if truth.any():
        scores = [one.score for one in outcomes]
        precision = sklearn.metrics.average_precision_score(truth, scores)
    if len(truth):
        brier = sklearn.metrics.brier_score_loss(truth, chances, labels=[False, True])
    require(found["specificity"], specificity)
    require(found["average_precision"], precision)
    require(found["brier_score"], brier)
    require(found["expected_calibration_error"], derive_calibration_error(truth, chances))


def take_mean(figures):
    """Return the mean of what is defined, or None."""
    defined = [value for value in figures if value is not None]
    return np.mean(defined) if defined else None


@given(prediction_sets())
@examples(max_examples=1000)
def test_every_figure_of_exclusive_classes_is_that_of_scikit_learn(drawn):
    classes, predictions = drawn
    found = describe_split(classes, predictions)
    outcomes = list_outcomes(classes, predictions, PLATFORM)
    precisions = [found["per_class"][name]["average_precision"] for name in classes]
    require(found["average_precision"], None if None in precisions else np.mean(precisions))
    one = classes[len(predictions) % len(classes)]
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        require_one_against_rest(found["per_class"][one], outcomes[one])
        truth = [classes.index(row.label) for row in predictions]
        chances = np.array([row.probabilities for row in predictions])
        two = len(classes) == 2
        brier = sklearn.metrics.brier_score_loss(
            truth,
            chances[:, 1] if two else chances,
            labels=list(range(len(classes))),
            pos_label=1 if two else None,
        )
        require(found["brier_score"], brier)
        right = np.array([row.decision == row.label for row in predictions])
        require(
            found["expected_calibration_error"],
            derive_calibration_error(right, chances.max(axis=1)),
        )


@given(label_images)
@examples(max_examples=300)
def test_every_figure_of_several_labels_is_that_of_scikit_learn(drawn):
    predictions = [predict(*image) for image in drawn]
    found = describe_split(LABELS, predictions)
    outcomes = list_outcomes(LABELS, predictions, PLATFORM)
    precisions = [found["per_class"][name]["average_precision"] for name in LABELS]
    require(found["average_precision"], take_mean(precisions))
    one = LABELS[len(predictions) % len(LABELS)]
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        require_one_against_rest(found["per_class"][one], outcomes[one])
        known = [one for name in LABELS for one in outcomes[name]]
        truth = np.array([one.is_true for one in known])
        chances = np.array([one.probability for one in known])
        brier = np.mean((chances - truth) ** 2) if known else None
        require(found["brier_score"], brier)
        require(found["expected_calibration_error"], derive_calibration_error(truth, chances))


@given(prediction_sets(), st.randoms(use_true_random=False))
@examples(max_examples=50)
def test_the_order_of_images_does_not_change_one_bit(drawn, random):
    classes, predictions = drawn
    shuffled = random.sample(predictions, len(predictions))
    assert describe_split(classes, shuffled) == describe_split(classes, predictions)


def test_the_figures_of_each_epoch_are_left_as_they_are():
    classes, predictions = ("A", "B"), [choose("A", 0.7), choose("B", 0.6)]
    found = describe_split(classes, predictions)
    before = compute_metrics(classes, predictions, level=Level.STRICT).to_json()
    assert {name: found[name] for name in SCALARS} == {name: before[name] for name in SCALARS}
    assert found["confusion"] == before["confusion"]


def choose(label, share, *more):
    """Build a prediction of two classes, or more, whose first has this probability."""
    values = (share, 1 - share, *more) if not more else (share, *more)
    logits = [math.log(value) if value else -999.0 for value in values]
    return Prediction(
        path="x",
        label=label,
        decision=LABELS[values.index(max(values))],
        logits=tuple(str(np.float32(value)) for value in logits),
        probabilities=values,
    )


# What is not defined


@pytest.mark.parametrize("each", [False, True])
def test_figures_of_no_image_are_undefined_and_say_so(each):
    found = describe_split(LABELS, [])
    assert each or {found[name] for name in ALL_SCALARS} == {None}
    assert {found["undefined"][name] for name in ALL_SCALARS} == {"there is no image"}
    assert [one["count"] for one in found["reliability"]] == [0] * NUM_BINS


def test_a_class_without_an_image_is_the_reason_that_is_told():
    found = describe_split(("A", "B"), [choose("A", 0.7), choose("A", 0.2)])
    assert found["undefined"] == {
        "per_class.A.specificity": "every image has it",
        "per_class.A.auroc": "every image has it",
        "per_class.B.recall": "no image has it",
        "per_class.B.auroc": "no image has it",
        "per_class.B.average_precision": "no image has it",
        "auroc": "no image has the class B",
        "average_precision": "no image has the class B",
    }
    assert found["per_class"]["A"]["average_precision"] == 1.0


def test_a_class_that_was_never_decided_for_has_no_precision():
    found = describe_split(LABELS, [choose("A", 0.7, 0.2, 0.1)])
    assert found["undefined"]["per_class.B.precision"] == "it was never decided for"
    assert found["undefined"]["per_class.C.f1"] == "no image has it, and none was decided to"


def test_a_label_of_which_nothing_is_known_is_told_so():
    found = describe_split(LABELS, [predict((True, None, False), (0.9, 0.9, 0.1))])
    assert found["undefined"]["per_class.B.brier_score"] == "there is no image"
    assert found["undefined"]["auroc"] == "it is undefined for every label"
    assert found["undefined"]["per_class.C.recall"] == "no image has it"


@given(prediction_sets(max_images=3))
@examples(max_examples=200)
def test_there_is_a_reason_for_each_figure_that_is_undefined_and_for_no_other(drawn):
    classes, predictions = drawn
    found = describe_split(classes, predictions)
    undefined = {name for name in ALL_SCALARS if found[name] is None}
    for name, one in found["per_class"].items():
        assert {*CLASS_FIGURES, "support"} == one.keys()
        undefined |= {f"per_class.{name}.{figure}" for figure in one if one[figure] is None}
    assert found["undefined"].keys() == undefined


def test_figures_are_plain_json():
    found = describe_split(("A", "B"), [choose("A", 0.7), choose("A", 1.0)])
    assert json.loads(canonical_json(found)) == found
    assert EDGES[0] == 0.0
    assert EDGES[-1] == 1.0


def test_a_text_that_is_no_class_is_no_key():
    with pytest.raises(KeyError):
        describe_split(("A", "B"), [dataclasses.replace(choose("A", 0.7), label="Z")])
