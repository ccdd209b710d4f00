from __future__ import annotations

import numpy as np
import pytest

from cxr.statistics.bootstrap import bootstrap_differences, bootstrap_figures
from cxr.statistics.cases import build_class_cases, build_label_cases


def build(labels, scores, decisions=None):
    table = np.stack([-np.asarray(scores, float), np.asarray(scores, float)], axis=1)
    chosen = table.argmax(axis=1) if decisions is None else decisions
    return build_class_cases(labels, chosen, table)


def test_an_auroc_of_1_has_no_interval_and_is_no_silent_width_of_0():
    found = bootstrap_figures(build([0] * 10 + [1] * 10, range(-10, 10)), range(20), root=1)
    assert found.whole["auroc"].estimate == 1.0
    assert (found.whole["auroc"].low, found.whole["auroc"].high) == (None, None)
    assert found.whole["auroc"].replicates == 2000
    assert found.whole["auroc"].reason == "all resamples agree"


def test_a_class_that_is_missing_leaves_its_figures_undefined():
    found = bootstrap_figures(build([0] * 20, range(-10, 10)), range(20), root=1)
    assert found.whole["auroc"].estimate is None
    assert found.per_class["recall"][1].estimate is None
    assert found.per_class["recall"][1].dropped == 2000
    assert found.per_class["recall"][1].reason is None
    assert found.whole["accuracy"].low < 0.5 < found.whole["accuracy"].high


def test_a_class_of_two_patients_is_missing_in_too_many_resamples():
    labels = [0] * 18 + [1] * 2
    found = bootstrap_figures(build(labels, np.arange(20) % 7 - 3), range(20), root=1)
    interval = found.per_class["recall"][1]
    assert interval.estimate is not None
    # (1 - 2 / 20)^20 = 12 %.
    assert 200 < interval.dropped < 290
    assert (interval.low, interval.high) == (None, None)
    assert interval.reason == "undefined in too many resamples"
    assert found.whole["accuracy"].low is not None
    assert found.whole["accuracy"].reason is None


@pytest.mark.parametrize("labels", [[0], [1]])
def test_one_image_has_figures_without_intervals(labels):
    found = bootstrap_figures(build(labels, [0.5]), ["a"], root=1)
    assert found.whole["accuracy"].estimate == float(labels == [1])
    assert found.whole["accuracy"].low is None
    assert (found.num_groups, found.num_images) == (1, 1)


def test_whole_patients_are_drawn():
    labels, scores = [0, 1] * 20, [0.0, -1.0] * 10 + [-1.0, 1.0] * 10
    cases = build(labels, scores)
    by_patient = bootstrap_figures(cases, np.arange(40) // 8, root=1).whole["accuracy"]
    by_image = bootstrap_figures(cases, range(40), root=1).whole["accuracy"]
    assert by_patient.estimate == by_image.estimate
    assert by_patient.width > 1.5 * by_image.width


def test_a_better_model_is_better_in_the_paired_difference():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    noise = rng.normal(size=300)
    weak, strong = (build(labels, distance * (labels - 0.5) + noise) for distance in (1.0, 2.0))
    paired = bootstrap_differences(weak, strong, range(300), root=1).whole["auroc"]
    alone = [
        bootstrap_figures(cases, range(300), root=1).whole["auroc"] for cases in (weak, strong)
    ]
    assert paired.estimate == alone[1].estimate - alone[0].estimate
    assert 0 < paired.low < paired.estimate < paired.high
    assert paired.width < max(one.width for one in alone)


def test_unknown_labels_are_not_counted():
    labels = [[1, -1], [0, 1], [1, 0], [0, -1]] * 5
    cases = build_label_cases(labels, [[True, True]] * 20, [[0.5, 0.5]] * 20)
    found = bootstrap_figures(cases, range(20), root=1)
    assert found.whole["accuracy"].estimate == 0.5
    assert found.per_class["specificity"][1].estimate == 0.0
    assert found.whole["auroc"].estimate == 0.5


@pytest.mark.parametrize(
    ("labels", "decisions", "scores", "word"),
    [
        ([0, 2], [0, 1], [[0.0, 1.0]] * 2, "names no column"),
        ([0, 1], [0, 1], [[0.0, float("nan")]] * 2, "not a number"),
        ([0, 1], [0, 1, 1], [[0.0, 1.0]] * 2, "different shapes"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(labels, decisions, scores, word):
    with pytest.raises(ValueError, match=word):
        build_class_cases(labels, decisions, scores)


def test_splits_that_are_not_the_same_images_have_no_difference():
    with pytest.raises(ValueError, match="different labels"):
        bootstrap_differences(build([0, 1], [0, 1]), build([1, 0], [0, 1]), [0, 1], root=1)
    with pytest.raises(ValueError, match="one group an image"):
        bootstrap_figures(build([0, 1], [0, 1]), [0], root=1)
