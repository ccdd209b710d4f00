"""Several models as one, held against scikit-learn and against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from sklearn import metrics as sk

from cxr.evaluation.ensemble import combine_predictions, describe_ensemble
from cxr.evaluation.split_figures import describe_split
from cxr.records.predictions import Prediction

CLASSES = ("A", "B", "C")


def draw_models(num_models, num_images=60, *, seed=0):
    """Draw predictions of three classes; every class has images."""
    generator = np.random.default_rng(seed)
    labels = [CLASSES[place % 3] for place in range(num_images)]
    models = []
    for _ in range(num_models):
        logits = generator.normal(size=(num_images, 3)).astype(np.float32)
        logits[range(num_images), [CLASSES.index(label) for label in labels]] += 1
        powers = np.exp(logits.astype(np.float64))
        shares = powers / powers.sum(axis=1, keepdims=True)
        models.append(
            [
                Prediction(
                    path=str(place),
                    label=label,
                    decision=CLASSES[int(row.argmax())],
                    logits=tuple(map(str, row)),
                    probabilities=tuple(map(float, share)),
                )
                for place, (label, row, share) in enumerate(
                    zip(labels, logits, shares, strict=True)
                )
            ]
        )
    return models


def test_means_are_of_exact_sums_whatever_the_order_of_the_models():
    models = draw_models(4)
    combined = combine_predictions(CLASSES, models)
    for place, row in enumerate(combined):
        exact = [
            float(sum(Fraction(model[place].probabilities[index]) for model in models)) / 4
            for index in range(3)
        ]
        assert list(row.probabilities) == exact
        assert row.decision == CLASSES[exact.index(max(exact))]
    for order in permutations(models):
        assert combine_predictions(CLASSES, order) == combined


def test_figures_are_those_of_scikit_learn():
    combined = combine_predictions(CLASSES, draw_models(3))
    found = describe_ensemble(CLASSES, combined)
    labels, decisions = [row.label for row in combined], [row.decision for row in combined]
    shares = np.array([row.probabilities for row in combined])
    shares /= shares.sum(axis=1, keepdims=True)
    truths = np.array([[label == name for name in CLASSES] for label in labels])
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(labels, decisions))
    assert found["balanced_accuracy"] == pytest.approx(
        sk.balanced_accuracy_score(labels, decisions)
    )
    assert found["macro_f1"] == pytest.approx(sk.f1_score(labels, decisions, average="macro"))
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(truths, shares, average="macro"))
    assert found["average_precision"] == pytest.approx(sk.average_precision_score(truths, shares))
    assert found["loss"] == pytest.approx(sk.log_loss(labels, shares, labels=CLASSES))
    assert found["per_class"]["B"]["recall"] == pytest.approx(
        sk.recall_score(labels, decisions, labels=["B"], average="macro")
    )


def test_an_ensemble_of_one_model_has_that_models_figures():
    [model] = draw_models(1)
    combined = combine_predictions(CLASSES, [model])
    found, single = describe_ensemble(CLASSES, combined), describe_split(CLASSES, model)
    for figure, value in found.items():
        if figure != "per_class":
            assert value == pytest.approx(single[figure], rel=1e-12), figure
    for name in CLASSES:
        assert found["per_class"][name] == pytest.approx(single["per_class"][name])


def test_an_ensemble_of_one_model_without_a_class_lacks_what_the_model_lacks():
    model = [row for row in draw_models(1)[0] if row.label != "C"]
    found = describe_ensemble(CLASSES, combine_predictions(CLASSES, [model]))
    single = describe_split(CLASSES, model)
    assert (found["auroc"], found["average_precision"]) == (None, None)
    assert (single["auroc"], single["average_precision"]) == (None, None)
    assert found["balanced_accuracy"] == single["balanced_accuracy"]


def test_an_ensemble_of_one_model_of_labels_has_that_models_figures():
    generator = np.random.default_rng(3)
    # Nobody has C, and whether the last images have B is unknown.
    texts = ["A", "B", "A|B", "-"] * 10 + ["A|B?", "B?"] * 4
    model = []
    for place, text in enumerate(texts):
        logits = generator.normal(size=3).astype(np.float32)
        decided = [name for name, logit in zip(CLASSES, logits, strict=True) if logit >= 0]
        model.append(
            Prediction(
                path=str(place),
                label=text,
                decision="|".join(decided) or "-",
                logits=tuple(map(str, logits)),
                probabilities=tuple((1 / (1 + np.exp(-logits.astype(np.float64)))).tolist()),
                asks_each_label=True,
            )
        )
    found = describe_ensemble(CLASSES, combine_predictions(CLASSES, [model]))
    single = describe_split(CLASSES, model)
    assert found["per_class"]["C"]["auroc"] is None
    assert found["auroc"] is not None
    for figure, value in found.items():
        if figure != "per_class":
            assert value == pytest.approx(single[figure], rel=1e-12), figure
    for name in CLASSES:
        assert found["per_class"][name] == pytest.approx(single["per_class"][name])


def test_labels_are_decided_each_by_itself_and_unknown_ones_left_out():
    def row(path, label, decision, probabilities):
        return Prediction(
            path=path,
            label=label,
            decision=decision,
            logits=("0", "0"),
            probabilities=probabilities,
            asks_each_label=True,
        )

    first = [row("1", "A", "A|B", (0.75, 0.5)), row("2", "B?", "-", (0.25, 0.25))]
    second = [row("1", "A", "-", (0.25, 0.25)), row("2", "B?", "-", (0.25, 0.25))]
    combined = combine_predictions(("A", "B"), [first, second])
    assert [one.decision for one in combined] == ["A", "-"]
    found = describe_ensemble(("A", "B"), combined)
    assert (found["accuracy"], found["per_class"]["A"]["auroc"]) == (1.0, 1.0)
    assert found["per_class"]["B"]["support"] == 0
    assert found["per_class"]["B"]["auroc"] is None
    known = (0.5, 1 - 0.375, 1 - 0.25)
    assert found["loss"] == pytest.approx(-np.log(known).mean())


def test_a_true_class_of_probability_zero_leaves_the_loss_undefined():
    rows = [
        Prediction(path="1", label="A", decision="B", logits=("0", "9"), probabilities=(0.0, 1.0))
    ]
    assert describe_ensemble(("A", "B"), combine_predictions(("A", "B"), [rows]))["loss"] is None
