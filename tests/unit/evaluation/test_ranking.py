from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from cxr.evaluation.calibration import NUM_BINS, compute_brier_of_classes, compute_calibration
from cxr.evaluation.outcomes import Outcome
from cxr.evaluation.ranking import (
    apply_threshold,
    choose_threshold,
    compute_average_precision,
    derive_curve,
)
from properties.strategies import examples

pairs = st.lists(
    st.tuples(st.booleans(), st.sampled_from([-2.0, -0.5, 0.0, 0.5, 3.0])), max_size=12
)


def list_outcomes(drawn):
    return [Outcome(is_true, score >= 0, score, 0.5) for is_true, score in drawn]


@given(pairs)
@examples(max_examples=200)
def test_the_threshold_has_the_largest_youden_index_and_of_equal_ones_is_the_highest(drawn):
    outcomes = list_outcomes(drawn)
    found = choose_threshold(outcomes)
    truth = np.array([is_true for is_true, _ in drawn], dtype=bool)
    if len(set(truth.tolist())) < 2:
        assert found is None
        return
    scores = np.array([score for _, score in drawn])
    false, true, thresholds = sklearn.metrics.roc_curve(truth, scores, drop_intermediate=False)
    youden = (true - false)[1:]
    best = np.flatnonzero(np.isclose(youden, youden.max(), rtol=0, atol=1e-12))[0]
    assert found.score == thresholds[1:][best]
    assert found.youden == pytest.approx(youden.max(), abs=1e-12)
    assert found.sensitivity == pytest.approx(true[1:][best])
    assert found.specificity == pytest.approx(1 - false[1:][best])
    assert apply_threshold(outcomes, found.score) == found


def test_images_that_tie_are_one_step_of_the_curve():
    outcomes = list_outcomes([(True, 1.0), (False, 1.0), (True, 0.0), (False, -1.0)])
    counts = [(one.true_positives, one.false_positives) for one in derive_curve(outcomes)]
    assert counts == [(1, 1), (2, 1), (2, 2)]
    assert compute_average_precision(outcomes) == 0.5 * 0.5 + 0.5 * (2 / 3)


def test_a_threshold_chosen_elsewhere_may_meet_no_image_of_a_side():
    found = apply_threshold(list_outcomes([(True, 1.0)]), 0.5)
    assert (found.sensitivity, found.specificity) == (1.0, None)
    assert choose_threshold([]) is None
    assert compute_average_precision([]) is None


def test_a_probability_at_an_edge_lies_in_the_bin_below_it_and_zero_in_the_first():
    edges = [0.0, 1 / NUM_BINS, 2 / NUM_BINS, 1.0]
    counts = [one.count for one in compute_calibration(edges, [True] * 4).bins]
    assert (counts[0], counts[1], counts[-1]) == (2, 1, 1)
    above = compute_calibration([np.nextafter(1 / NUM_BINS, 1)], [True]).bins
    assert (above[0].count, above[1].count) == (0, 1)


def test_the_calibration_error_by_hand():
    found = compute_calibration([0.9, 0.9, 0.2, 1.0], [True, False, False, True])
    assert found.error == pytest.approx((abs(1 - 1.8) + 0.2 + 0.0) / 4)
    held = [one for one in found.bins if one.count]
    assert [(one.count, one.accuracy) for one in held] == [(1, 0.0), (2, 0.5), (1, 1.0)]
    empty = [one for one in found.bins if not one.count]
    assert {(one.mean_confidence, one.accuracy) for one in empty} == {(None, None)}
    assert compute_calibration([], []).error is None


def test_the_brier_score_of_two_classes_is_half_of_that_of_more():
    two = compute_brier_of_classes([(0.0, 1.0)], [0])
    three = compute_brier_of_classes([(0.0, 1.0, 0.0)], [0])
    assert (two, three) == (1.0, 2.0)
    assert compute_brier_of_classes([], []) is None
