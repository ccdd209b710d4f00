"""The quick part of `benchmarks/coverage.py`: fixed samples from a known distribution."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
import pytest

from cxr.statistics import bootstrap
from cxr.statistics.bootstrap import bootstrap_figures
from cxr.statistics.cases import build_class_cases

DISTANCE = 1.466
TRUTH = {
    "auroc": NormalDist().cdf(DISTANCE / 2**0.5),
    "accuracy": NormalDist().cdf(DISTANCE / 2),
}
SIMULATIONS = 200
LEAST, MOST = 0.92, 0.98
"""Two standard errors of a share of 95 % in 200 on either side."""


@pytest.fixture(autouse=True)
def resamples_drawn_once(monkeypatch):
    monkeypatch.setattr(bootstrap, "draw_multiplicities", cache(bootstrap.draw_multiplicities))


def draw_sample(number, num_patients, num_images, shared):
    rng = np.random.default_rng([3, number])
    sides = rng.permutation(num_patients) % 2
    labels = sides.repeat(num_images)
    common = rng.normal(size=num_patients).repeat(num_images)
    noise = shared**0.5 * common + (1 - shared) ** 0.5 * rng.normal(size=len(labels))
    scores = DISTANCE * labels + noise
    decisions = (scores > DISTANCE / 2).astype(int)
    cases = build_class_cases(labels, decisions, np.stack([-scores, scores], axis=1))
    return cases, np.arange(num_patients).repeat(num_images)


def measure_coverage(num_patients, num_images, shared, *, by_image=False):
    holding = dict.fromkeys(TRUTH, 0)
    for number in range(SIMULATIONS):
        cases, patients = draw_sample(number, num_patients, num_images, shared)
        groups = range(len(cases)) if by_image else patients
        found = bootstrap_figures(cases, groups, root=1, replicates=400).whole
        for figure, truth in TRUTH.items():
            holding[figure] += found[figure].low <= truth <= found[figure].high
    return {figure: num / SIMULATIONS for figure, num in holding.items()}


def test_intervals_of_single_images_hold_the_truth_as_often_as_they_say():
    for share in measure_coverage(100, 1, 0.0).values():
        assert LEAST <= share <= MOST


def test_so_do_intervals_over_patients_where_images_resemble_each_other():
    for share in measure_coverage(60, 4, 0.6).values():
        assert LEAST <= share <= MOST


def test_drawing_images_of_patients_one_by_one_would_promise_too_much():
    for share in measure_coverage(60, 4, 0.6, by_image=True).values():
        assert share < 0.85
