from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from cxr.statistics.mcnemar import compare_decisions
from properties.strategies import examples


def compare_counts(only_first, only_second, both=0, neither=0):
    first = [True] * (only_first + both) + [False] * (only_second + neither)
    second = [False] * only_first + [True] * (both + only_second) + [False] * neither
    return compare_decisions(first, second, range(len(first)))


def test_approval_ratings():
    # Agresti, Categorical Data Analysis, section 10.1: 794 and 570 agree, 150 against 86 do not;
    # z^2 = 17.36, p < 0.0001. The exact p-value is the binomial one of 86 in 236.
    found = compare_counts(150, 86, both=794, neither=570)
    assert (found.only_first, found.only_second, found.discordant_groups) == (150, 86, 236)
    assert found.p_value == pytest.approx(3.716e-05, rel=1e-4)
    assert found.method == "McNemar, exact"


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (0, 5), (3, 3), (9, 2), (40, 61), (1000, 1100)])
def test_one_image_a_patient_is_the_binomial_test(counts):
    wanted = binomtest(counts[0], sum(counts)).pvalue if sum(counts) else 1.0
    assert compare_counts(*counts).p_value == pytest.approx(wanted, rel=1e-11)


@given(st.lists(st.integers(-4, 4), max_size=9))
@examples(max_examples=100)
def test_patients_are_tested_by_all_their_signs(leads):
    first, second, groups = [], [], []
    for group, lead in enumerate(leads):
        first += [lead < 0] * abs(lead) + [True]
        second += [lead > 0] * abs(lead) + [True]
        groups += [group] * (abs(lead) + 1)
    found = compare_decisions(first, second, groups)
    sums = [
        sum(sign * lead for sign, lead in zip(signs, leads, strict=True))
        for signs in product((-1, 1), repeat=len(leads))
    ]
    extreme = sum(abs(value) >= abs(sum(leads)) for value in sums)
    assert found.p_value == extreme / len(sums)
    assert found.discordant_groups == sum(lead != 0 for lead in leads)


def test_images_of_one_patient_are_no_independent_evidence():
    first, second = [False] * 12, [True] * 12
    assert compare_decisions(first, second, range(12)).p_value == 2 * 0.5**12
    clustered = compare_decisions(first, second, [0] * 4 + [1] * 4 + [2] * 4)
    assert clustered.p_value == 2 * 0.5**3
    assert clustered.method == "exact signs of patients"
    assert compare_decisions(first, second, [0] * 12).p_value == 1.0


def test_which_model_is_named_first_does_not_matter():
    first, second = [True, False, True, True, False], [False, False, False, True, True]
    groups = [0, 0, 1, 1, 2]
    one, other = (compare_decisions(*pair, groups) for pair in ((first, second), (second, first)))
    assert (one.only_first, one.only_second) == (other.only_second, other.only_first)
    assert one.p_value == other.p_value


def test_thousands_of_discordant_patients_are_counted_exactly():
    found = compare_decisions(
        [True] * 5060 + [False] * 4940, [False] * 5060 + [True] * 4940, range(10_000)
    )
    assert found.p_value == pytest.approx(binomtest(5060, 10_000).pvalue, rel=1e-9)
