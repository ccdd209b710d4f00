from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm

from cxr.statistics.calibration_tests import CalibrationTest, derive_calibration_test

SIMULATIONS = 500
LEAST, MOST = 0.02, 0.06
"""Of 4 %, which is what two tests that resemble each other come to: two standard errors."""


def draw_calibrated(rng, num_patients, num_images, *, shared=0.0, surest=None):
    """Return probabilities, what came true with just these, and patients whose images agree."""
    size = num_patients * num_images
    common = rng.normal(size=num_patients).repeat(num_images)
    drawn = norm.cdf(shared**0.5 * common + (1 - shared) ** 0.5 * rng.normal(size=size))
    odds = rng.normal(scale=2, size=num_patients).repeat(num_images)
    said = 1 / (1 + np.exp(-np.abs(odds))) if surest is None else np.full(size, surest)
    return said, drawn < said, np.arange(num_patients).repeat(num_images)


def measure_rejected(test, *shape, **options):
    rng = np.random.default_rng(3)
    samples = (draw_calibrated(rng, *shape, **options) for _ in range(SIMULATIONS))
    return sum(test(*sample) for sample in samples) / SIMULATIONS


def rejects(said, came_true, patients):
    return derive_calibration_test(said, came_true, patients).is_rejected


def rejects_by_images(said, came_true, _):
    return rejects(said, came_true, range(len(said)))


def rejects_by_squares(said, came_true, patients):
    """The usual variance from the sample itself, which a model without an error makes too small."""
    sums = np.bincount(patients, weights=said - came_true)
    return abs(sums.sum()) > 1.96 * math.sqrt((sums**2).sum())


def test_the_figures_by_hand():
    found = derive_calibration_test([0.75, 0.75, 0.25, 0.5], [1, 0, 0, 1], range(4))
    # 0.25 of a variance of 3 x 3 / 16 + 1 / 4; and 0.125 of 3 x 3 / 64.
    assert found.z_mean == pytest.approx(0.25 / 0.8125**0.5)
    assert found.z_spread == pytest.approx(1 / 3)
    assert (found.p_value, found.is_rejected) == (1.0, False)


def test_the_second_is_the_brier_score_minus_what_it_should_be():
    said, came_true, patients = draw_calibrated(np.random.default_rng(0), 80, 1)
    found = derive_calibration_test(said**0.2, came_true, patients)
    said = said**0.2
    squares, due = (said - came_true) ** 2, said * (1 - said)
    excess = (squares - due).sum() / math.sqrt(((1 - 2 * said) ** 2 * due).sum())
    assert found.z_spread == pytest.approx(excess, rel=1e-6)
    least = 2 * norm.sf(max(abs(found.z_mean), abs(found.z_spread)))
    assert found.p_value == pytest.approx(2 * least)
    assert found.is_rejected == (found.p_value < 0.05)


def test_over_all_outcomes_of_a_calibrated_model_both_have_mean_0_and_variance_1():
    said = np.array([0.1, 0.35, 0.5, 0.8, 0.85, 0.99])
    for name in ("z_mean", "z_spread"):
        moments = np.zeros(3)
        for outcome in itertools.product([False, True], repeat=len(said)):
            chance = np.where(outcome, said, 1 - said).prod()
            z = getattr(derive_calibration_test(said, outcome, range(len(said))), name)
            moments += chance * np.array([1, z, z * z])
        assert moments == pytest.approx([1, 0, 1], abs=1e-9)


def test_products_of_different_images_of_a_patient_are_added():
    said, came_true, patients = draw_calibrated(np.random.default_rng(5), 12, 4, shared=0.8)
    found = derive_calibration_test(said, came_true, patients)
    for z, weights in ((found.z_mean, np.ones(48)), (found.z_spread, 2 * said - 1)):
        terms = weights * (said - came_true)
        shared = sum(
            terms[a] * terms[b]
            for a, b in itertools.permutations(range(48), 2)
            if patients[a] == patients[b]
        )
        assert shared > 0
        variance = (weights**2 * said * (1 - said)).sum() + shared
        assert z == pytest.approx(terms.sum() / math.sqrt(variance))


@pytest.mark.parametrize("shape", [(100, 1), (60, 5), (20, 5)])
def test_of_calibrated_models_some_four_per_cent_are_rejected(shape):
    shared = 0.6 if shape[1] > 1 else 0.0
    assert LEAST <= measure_rejected(rejects, *shape, shared=shared) <= MOST
    if shared:
        assert measure_rejected(rejects_by_images, *shape, shared=shared) > 0.12


def test_a_model_that_is_sure_and_rightly_so_is_not_rejected_for_want_of_errors():
    for shape, shared in (((100, 1), 0.0), ((20, 5), 0.5)):
        assert measure_rejected(rejects, *shape, shared=shared, surest=0.99) <= MOST
        assert measure_rejected(rejects_by_squares, *shape, shared=shared, surest=0.99) > 0.3


def test_probabilities_that_are_all_too_high_are_rejected_though_one_sum_is_blind_to_them():
    said = np.linspace(0.2, 0.8, 300)
    truth = np.random.default_rng(0).random(300) < said - 0.15
    found = derive_calibration_test(said, truth, range(300))
    assert abs(found.z_spread) < 1.96
    assert found.is_rejected
    assert found.z_mean > 0


def test_too_sure_is_positive_and_too_modest_negative():
    odds = np.random.default_rng(0).normal(scale=2, size=500)
    truth = np.random.default_rng(1).random(500) < 1 / (1 + np.exp(-odds))
    sure, modest = (
        derive_calibration_test(1 / (1 + np.exp(-slope * odds)), truth, range(500))
        for slope in (2.0, 0.5)
    )
    assert sure.is_rejected
    assert modest.is_rejected
    assert modest.z_spread < 0 < sure.z_spread


def test_the_order_of_images_changes_no_bit():
    said, came_true, patients = draw_calibrated(np.random.default_rng(8), 6, 200, shared=0.5)
    said = np.random.default_rng(7).uniform(0.3, 0.9, size=1200)
    whole = derive_calibration_test(said, came_true, patients)
    names = np.array([f"p{number:02}" for number in patients])
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(1200)
        assert derive_calibration_test(said[order], came_true[order], names[order]) == whole


@pytest.mark.parametrize("said", [[], [1.0, 0.0, 1.0]])
def test_where_nothing_can_go_wrong_nothing_is_rejected(said):
    found = derive_calibration_test(said, np.array(said) > 0, [0] * len(said))
    assert found == CalibrationTest(z_mean=None, z_spread=None, p_value=1.0)


@pytest.mark.parametrize("patients", [[0, 1, 2], [0, 0, 0]])
def test_what_was_said_to_be_impossible_and_came_true_rejects(patients):
    assert rejects([1.0, 1.0, 1.0], [True, True, False], patients)
    assert rejects([0.5, 0.5, 0.0], [True, False, True], patients)
    assert not rejects([0.5, 0.5, 0.0], [True, False, False], patients)


def test_one_patient_proves_nothing():
    said = np.full(50, 0.9)
    assert not rejects(said, np.zeros(50), [0] * 50)
    assert rejects(said, np.zeros(50), range(50))


def test_probabilities_of_one_half_can_be_off_on_average_alone():
    found = derive_calibration_test([0.5] * 40, [True] * 40, range(40))
    assert found.z_spread is None
    assert found.is_rejected


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="different lengths"):
        derive_calibration_test([0.5], [True], [1, 2])
