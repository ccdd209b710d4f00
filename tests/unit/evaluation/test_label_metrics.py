from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json
from cxr.evaluation.log_odds import sigmoid
from cxr.evaluation.metrics import compute_metrics
from cxr.label_text import format_labels
from cxr.records.predictions import HALF, Prediction
from properties.strategies import examples

CLASSES = ("A", "B", "C")

logits = st.floats(-30, 30, width=32) | st.sampled_from([0.0, -1e-30, 1.0])
answers = st.sampled_from([True, False, None])
images = st.lists(
    st.tuples(st.tuples(answers, answers, answers), st.tuples(logits, logits, logits)),
    min_size=1,
    max_size=12,
)


def predict(truth, values):
    shares = tuple(map(sigmoid, values))
    return Prediction(
        path="x",
        label=format_labels(CLASSES, truth),
        decision=format_labels(CLASSES, tuple(share >= HALF for share in shares)),
        logits=tuple(str(np.float32(value)) for value in values),
        probabilities=shares,
        asks_each_label=True,
    )


def require(figure, oracle):
    if math.isnan(oracle):
        assert figure is None
    else:
        assert figure == pytest.approx(oracle, rel=1e-9, abs=1e-9)


def take_mean(values):
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


@given(images)
@examples(max_examples=200)
def test_every_figure_is_that_of_scikit_learn_over_what_is_known(drawn):
    found = compute_metrics(CLASSES, [predict(*image) for image in drawn], level=Level.STRICT)
    balanced, f1s, aurocs, losses, right = [], [], [], [], []
    for column, name in enumerate(CLASSES):
        known = [image for image in drawn if image[0][column] is not None]
        truth = np.array([image[0][column] for image in known], dtype=bool)
        scores = np.array([image[1][column] for image in known], dtype=float)
        decided = scores >= -1e-16
        one = found.per_class[name]
        if known:
            table = sklearn.metrics.confusion_matrix(truth, decided, labels=[False, True])
            assert [list(row) for row in found.confusion[name]] == table.tolist()
        (_, alarms), (misses, hits) = found.confusion[name]
        assert one.support == int(truth.sum())
        require(one.precision, hits / (hits + alarms) if hits + alarms else math.nan)
        require(one.recall, hits / (hits + misses) if hits + misses else math.nan)
        f1s.append(math.nan)
        if truth.any() or decided.any():
            f1s[-1] = sklearn.metrics.f1_score(truth, decided)
        require(one.f1, f1s[-1])
        both = len(set(truth.tolist())) > 1
        aurocs.append(sklearn.metrics.roc_auc_score(truth, scores) if both else math.nan)
        require(one.auroc, aurocs[-1])
        balanced.append(
            sklearn.metrics.balanced_accuracy_score(truth, decided) if both else math.nan
        )
        right += (truth == decided).tolist()
        losses += np.logaddexp(0, np.where(truth, -scores, scores)).tolist()
    assert found.num_images == len(drawn)
    require(found.accuracy, np.mean(right) if right else math.nan)
    require(found.loss, np.mean(losses) if losses else math.nan)
    require(found.balanced_accuracy, take_mean(balanced))
    require(found.macro_f1, take_mean(f1s))
    require(found.auroc, take_mean(aurocs))


def test_figures_over_nothing_known_are_undefined_and_json_has_no_nan():
    found = compute_metrics(
        CLASSES, [predict((None, None, None), (1.0, 2.0, -3.0))], level=Level.STRICT
    )
    assert set(found.scalars().values()) == {None}
    assert b'"confusion":{"A":[[0,0],[0,0]],"B":' in canonical_json(found.to_json())


def test_a_label_that_is_undefined_is_left_out_of_the_means():
    truths = [(True, True, None), (False, True, None)]
    rows = [predict(truth, (1 if truth[0] else -1, 1, 1)) for truth in truths]
    found = compute_metrics(CLASSES, rows, level=Level.STRICT)
    assert [found.per_class[name].auroc for name in CLASSES] == [1.0, None, None]
    assert found.auroc == found.balanced_accuracy == 1.0


def test_a_label_that_is_no_class_is_no_key():
    row = predict((True, False, False), (1.0, 0.0, 0.0))
    with pytest.raises(KeyError):
        compute_metrics(("A", "B"), [row], level=Level.STRICT)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 700.0, -800.0, 1e-20, 88.7, 3e38])
def test_a_probability_is_never_outside_of_its_range(value):
    assert 0.0 <= sigmoid(value) <= 1.0
    assert sigmoid(value) + sigmoid(-value) == pytest.approx(1.0)
    assert (sigmoid(value) >= HALF) is (value >= 0)
