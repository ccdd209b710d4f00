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


@pytest.mark.parametrize(("num", "reason"), [(4, "too few patients or seeds"), (5, None)])
def test_figures_that_count_fewer_than_five_patients_have_no_interval(num, reason):
    labels = [0] * (100 - num) + [1] * num
    decisions = [0, 1] * 50
    # Each patient has two images: images do not make up for patients.
    cases = build(labels * 2, list(np.arange(100) * 37 % 101) * 2, decisions * 2)
    found = bootstrap_figures(cases, [*range(100)] * 2, root=1)
    for name in ("recall", "average_precision"):
        assert found.per_class[name][1].reason == reason
        assert (found.per_class[name][1].low is None) is (reason is not None)
        assert found.per_class[name][0].reason is None
    assert found.per_class["specificity"][0].reason == reason
    assert found.per_class["specificity"][1].reason is None
    # Of these the other side is counted as well.
    assert [one.reason for one in found.per_class["auroc"]] == [reason] * 2
    # These count the images that are said to be of the class too.
    assert found.per_class["precision"][1].reason is None
    assert found.per_class["f1"][1].reason is None
    for name in ("balanced_accuracy", "auroc", "average_precision"):
        assert found.whole[name].reason == reason
    assert found.whole["accuracy"].reason is None


@pytest.mark.parametrize("replicates", [2000, 20_000])
def test_four_patients_have_no_interval_however_many_resamples(replicates):
    cases = build([0, 1] * 8, np.arange(16) % 5 - 2)
    found = bootstrap_figures(cases, np.arange(16) // 4, root=1, replicates=replicates)
    assert found.whole["accuracy"].reason == "too few patients or seeds"


def test_labels_that_fewer_than_five_patients_have_known_leave_no_interval():
    labels = [[1], [0], [1], [0]] + [[-1]] * 20
    cases = build_label_cases(labels, [[True]] * 24, [[0.5]] * 24)
    found = bootstrap_figures(cases, [*range(4), *[9] * 20], root=1)
    assert found.num_groups == 5
    assert found.whole["accuracy"].reason == "too few patients or seeds"


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


def test_two_perfect_models_have_a_difference_without_an_interval():
    labels, scores = [0] * 8 + [1] * 8, np.arange(-8, 8) + 0.5
    one, other = (build(labels, some) for some in (scores, scores**3))
    found = bootstrap_differences(one, other, range(16), root=1)
    every = [*found.whole.values(), *(one for row in found.per_class.values() for one in row)]
    assert {interval.estimate for interval in every} == {0.0}
    assert {(interval.low, interval.high, interval.reason) for interval in every} == {
        (None, None, "all resamples agree")
    }


def test_equal_figures_of_one_kind_leave_the_others_their_interval():
    labels = [0, 1] * 20
    scores = np.where(np.arange(40) % 10 < 3, -1.0, 1.0) * (np.asarray(labels) * 2 - 1)
    moved = scores * (1 + np.arange(40) % 7)
    found = bootstrap_differences(build(labels, scores), build(labels, moved), range(40), root=1)
    assert found.whole["accuracy"].reason == "all resamples agree"
    assert found.whole["auroc"].width > 0


@pytest.mark.parametrize("num", [16, 4])
def test_a_model_differs_from_itself_by_exactly_0(num):
    cases = [build([0, 1] * (num // 2), range(num)) for _ in range(2)]
    found = bootstrap_differences(*cases, range(num), root=1).whole["accuracy"]
    assert (found.estimate, found.width) == (0.0, 0.0 if num > 4 else None)


def test_unknown_labels_are_not_counted():
    labels = [[1, -1], [0, 1], [1, 0], [0, -1]] * 5
    cases = build_label_cases(labels, [[True, True]] * 20, [[0.5, 0.5]] * 20)
    found = bootstrap_figures(cases, range(20), root=1)
    assert found.whole["accuracy"].estimate == 0.5
    assert found.per_class["specificity"][1].estimate == 0.0
    assert found.whole["auroc"].estimate == 0.5


def build_said(slope, num_images, num_labels=1):
    """Labels whose odds are known, and a model that says them times ``slope``."""
    rng = np.random.default_rng(4)
    odds = rng.normal(scale=2, size=(num_images, num_labels))
    truth = (rng.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(int)
    said = 1 / (1 + np.exp(-slope * odds))
    return truth, said


def build_labels(truth, said):
    bins = np.where(truth < 0, -1, (said * 10).astype(int))
    gaps = np.where(truth < 0, 0.5, said - (truth > 0))
    return build_label_cases(truth, said > 0.5, said, bins=bins, gaps=gaps)


@pytest.mark.parametrize(("slope", "is_shown"), [(1.0, False), (2.5, True)])
def test_the_calibration_error_has_an_interval_only_where_calibration_is_rejected(slope, is_shown):
    truth, said = (column[:, 0] for column in build_said(slope, 200))
    decided = (said > 0.5).astype(int)
    sure = np.maximum(said, 1 - said)
    cases = build_class_cases(
        truth,
        decided,
        np.stack([1 - said, said], axis=1),
        bins=(sure * 10).astype(int),
        gaps=sure - (truth == decided),
    )
    found = bootstrap_figures(cases, range(200), root=1, replicates=400).whole["calibration_error"]
    assert found.estimate > 0
    assert (found.low is not None) is is_shown
    assert (found.high is not None) is is_shown
    why = None if is_shown else "calibration is not rejected, so the error may be 0"
    assert found.reason == why


def test_labels_are_tested_together_and_unknown_ones_not_at_all():
    truth, said = build_said(1.0, 150, num_labels=3)
    # Of the third label every answer that was said to be likely is unknown, or else wrong.
    wrong = truth.copy()
    wrong[said[:, 2] > 0.5, 2] = 0
    unknown = wrong.copy()
    unknown[said[:, 2] > 0.5, 2] = -1
    unknown[said[:, 2] <= 0.5, 2] = truth[said[:, 2] <= 0.5, 2]
    shown = [
        bootstrap_figures(build_labels(one, said), range(150), root=1, replicates=400)
        .whole["calibration_error"]
        .low
        is not None
        for one in (truth, wrong, unknown)
    ]
    assert shown == [False, True, False]


def test_copies_of_a_patients_image_reject_nothing_that_the_image_does_not():
    truth, said = (one.repeat(8, axis=0) for one in build_said(2.2, 60))
    cases = build_labels(truth, said)
    by_patient, by_image = (
        bootstrap_figures(cases, groups, root=1, replicates=400).whole["calibration_error"].reason
        for groups in (np.arange(480) // 8, range(480))
    )
    assert by_patient == "calibration is not rejected, so the error may be 0"
    assert by_image is None


def test_a_difference_of_calibration_errors_keeps_its_interval():
    truth, said = build_said(1.0, 200)
    cases = build_labels(truth, said), build_labels(truth, said**2 / (said**2 + (1 - said) ** 2))
    found = bootstrap_differences(*cases, range(200), root=1, replicates=400)
    assert found.whole["calibration_error"].reason is None


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
