from __future__ import annotations

import numpy as np
import pytest

from cxr.statistics.agreement import (
    coefficients_of_variation,
    find_changing_decisions,
    fleiss_kappa,
    share_of_changing_decisions,
)

VOTES = [
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
]
"""How many of fourteen raters chose each of five classes, of ten subjects: the worked example that
goes with Fleiss' formula in most textbooks; its kappa is 0.210."""


def test_fleiss_kappa_of_the_worked_example():
    table = [[place for place, num in enumerate(row) for _ in range(num)] for row in VOTES]
    assert round(fleiss_kappa(np.array(table).T), 3) == 0.210


@pytest.mark.parametrize(
    ("decisions", "kappa"),
    [
        ([[0, 1, 0], [0, 1, 0]], 1.0),
        ([[0, 1], [1, 0]], -1.0),
        ([[0, 0], [0, 0]], None),
        ([[0, 1]], None),
        ([[], []], None),
    ],
)
def test_fleiss_kappa_at_its_ends_and_where_undefined(decisions, kappa):
    assert fleiss_kappa(np.array(decisions, dtype=int)) == kappa


def test_an_image_changes_where_one_model_differs():
    decisions = [[0, 1, 2, 0], [0, 1, 1, 0], [0, 1, 2, 1]]
    assert find_changing_decisions(decisions).tolist() == [False, False, True, True]
    assert share_of_changing_decisions(decisions) == 0.5
    assert share_of_changing_decisions(decisions[:1]) is None
    assert share_of_changing_decisions(np.zeros((3, 0), dtype=int)) is None


def test_the_coefficient_of_variation_is_std_over_mean():
    table = np.array([[0.2, 0.1, 0.0, 0.9], [0.4, 0.1, 0.0, 0.7], [0.6, 0.1, 0.0, 0.8]])
    found = coefficients_of_variation(table)
    assert found[0] == pytest.approx(0.5)
    assert found[1] == 0.0
    assert np.isnan(found[2])
    assert found[3] == pytest.approx(np.std(table[:, 3], ddof=1) / 0.8)
    assert np.isnan(coefficients_of_variation(table[:1])).all()
