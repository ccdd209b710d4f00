from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.statistics.delong import delong_interval, delong_test
from properties.strategies import examples

OVARIAN = """
3.0 5.8 10 0   3.2 6.3  5 1   3.9 6.8  3 1   2.8 4.8  6 0   3.2 5.8  3 1   0.9 4.0  5 0
2.5 5.7  8 0   1.6 5.6  5 1   3.8 5.7  5 1   3.7 6.7  6 1   3.2 5.4  4 1   3.8 6.6  6 1
4.1 6.6  5 1   3.6 5.7  5 1   4.3 7.0  4 1   3.6 6.7  4 0   2.3 4.4  6 1   4.2 7.6  4 0
4.0 6.6  6 0   3.5 5.8  6 1   3.8 6.8  7 1   3.0 4.7  8 0   4.5 7.4  5 1   3.7 7.4  5 1
3.1 6.6  6 1   4.1 8.2  6 1   4.3 7.0  5 1   4.3 6.5  4 1   3.2 5.1  5 1   2.6 4.7  6 1
3.3 6.8  6 0   1.7 4.0  7 0   3.7 6.1  5 1   3.3 6.3  7 1   4.2 7.7  6 1   3.5 6.2  5 1
2.9 5.7  9 0   2.1 4.8  7 1   2.8 6.2  8 0   4.0 7.0  7 1   3.3 5.7  6 1   3.7 6.9  5 1
3.6 6.6  5 1
"""
"""Albumin, total protein, K-G score and outcome of 43 patients: the example of DeLong, DeLong and
Clarke-Pearson (1988), as the SAS/STAT User's Guide prints it with its results."""


def read_ovarian():
    numbers = [float(word) for word in OVARIAN.split()]
    rows = [numbers[start : start + 4] for start in range(0, len(numbers), 4)]
    albumin, protein, score, outcome = zip(*rows, strict=True)
    return {
        "ALB": list(albumin),
        "TP": list(protein),
        "K-G": [10 - value for value in score],
    }, [value == 1 for value in outcome]


@pytest.mark.parametrize(
    ("name", "area", "low", "high"),
    [
        ("ALB", 0.7366, 0.5549, 0.9182),
        ("K-G", 0.7258, 0.5243, 0.9273),
        ("TP", 0.6478, 0.4518, 0.8439),
    ],
)
def test_areas_of_the_published_example(name, area, low, high):
    tests, outcome = read_ovarian()
    found = delong_interval(outcome, tests[name], range(43), on_logit_scale=False)
    assert [round(value, 4) for value in (found.estimate, found.low, found.high)] == [
        area,
        low,
        high,
    ]
    assert found.method == "DeLong, plain"


def test_the_difference_of_the_published_example():
    tests, outcome = read_ovarian()
    found = delong_test(outcome, tests["K-G"], tests["ALB"], range(43))
    ends = (found.difference.estimate, found.difference.low, found.difference.high)
    assert [round(value, 4) for value in ends] == [0.0108, -0.1761, 0.1976]
    assert round(found.p_value, 4) == 0.9102


def compute_directly(sides, first, second):
    """Return AUROCs and covariance by DeLong's formulas, pair by pair in fractions."""
    positives = [index for index, side in enumerate(sides) if side]
    negatives = [index for index, side in enumerate(sides) if not side]

    def win(scores, mine, other):
        return Fraction(2 * (scores[mine] > scores[other]) + (scores[mine] == scores[other]), 2)

    def components(scores):
        by_positive = [
            sum(win(scores, mine, other) for other in negatives) / len(negatives)
            for mine in positives
        ]
        by_negative = [
            sum(win(scores, mine, other) for mine in positives) / len(positives)
            for other in negatives
        ]
        return by_positive, by_negative

    def covariance(one, other):
        means = sum(one) / len(one), sum(other) / len(other)
        products = [(a - means[0]) * (b - means[1]) for a, b in zip(one, other, strict=True)]
        return sum(products) / (len(one) - 1) / len(one)

    parts = [components(scores) for scores in (first, second)]
    areas = [sum(part[0]) / len(positives) for part in parts]
    table = [[sum(map(covariance, one, other)) for other in parts] for one in parts]
    return areas, table


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 5)), min_size=4, max_size=14
    ).filter(lambda rows: 2 <= sum(row[0] for row in rows) <= len(rows) - 2)
)
@examples(max_examples=100)
def test_the_fast_algorithm_is_the_direct_one(rows):
    sides, first, second = zip(*rows, strict=True)
    areas, table = compute_directly(sides, first, second)
    groups = range(len(rows))
    one = delong_interval(sides, first, groups, on_logit_scale=False)
    assert one.estimate == float(areas[0])
    if table[0][0]:
        reach = 1.959963984540054 * float(table[0][0]) ** 0.5
        assert one.high - one.low == pytest.approx(2 * reach, rel=1e-12)
    else:
        assert one.low is None
        assert "no variance" in one.reason
    found = delong_test(sides, first, second, groups)
    variance = table[0][0] + table[1][1] - 2 * table[0][1]
    assert found.difference.estimate == float(areas[1] - areas[0])
    if variance:
        assert found.z == pytest.approx(
            float(areas[1] - areas[0]) / float(variance) ** 0.5, rel=1e-12
        )
    else:
        assert (found.z, found.p_value, found.difference.low) == (None, None, None)


def test_the_logit_interval_stays_between_0_and_1():
    sides = [False] * 6 + [True] * 6
    scores = [1, 2, 3, 4, 5, 7, 6, 8, 9, 10, 11, 12]
    plain = delong_interval(sides, scores, range(12), on_logit_scale=False)
    found = delong_interval(sides, scores, range(12))
    assert plain.high > 1
    assert 0 < found.low < found.estimate == plain.estimate < found.high < 1
    assert found.method == "DeLong, logit scale"


@pytest.mark.parametrize("scores", [[1, 2, 3, 4], [4, 3, 2, 1]])
def test_an_area_of_0_or_1_has_no_interval(scores):
    found = delong_interval([False, False, True, True], scores, range(4))
    assert found.estimate == float(scores[0] == 1)
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize(
    ("sides", "estimate"), [([True], None), ([False] * 3, None), ([True, False, False], 0.0)]
)
def test_one_image_a_side_has_no_variance(sides, estimate):
    scores = list(range(len(sides)))
    found = delong_interval(sides, scores, scores)
    assert (found.estimate, found.low, found.high) == (estimate, None, None)
    tested = delong_test(sides, scores, scores[::-1], scores)
    assert (tested.z, tested.p_value, tested.difference.low) == (None, None, None)


@pytest.mark.parametrize(
    ("first", "second", "difference", "reason"),
    [
        ([3, 1, 4, 1, 5, 9], [9, 1, 16, 1, 25, 81], 0.0, "both rank every pair alike"),
        # Each positive passes one negative, each negative is passed by one positive.
        (
            [1, 3, 5, 2, 4, 6],
            [2, 4, 6, 1, 3, 5],
            1 / 3,
            "the difference is the same for every image",
        ),
        ([1, 2, 3, 4, 5, 6], [4, 5, 6, 1, 2, 3], 1.0, "the difference is the same for every image"),
    ],
)
def test_a_difference_without_variance_says_why(first, second, difference, reason):
    found = delong_test([True] * 3 + [False] * 3, first, second, range(6))
    assert (found.difference.estimate, found.difference.reason) == (difference, reason)
    assert (found.z, found.p_value, found.difference.low) == (None, None, None)


def test_a_single_image_of_a_side_keeps_its_reason_in_a_test():
    found = delong_test([True, False, False], [1, 2, 3], [1, 2, 3], range(3)).difference
    assert found.reason == "an AUROC of 0 or 1, or a single image of a side, has no variance"


def test_a_patient_with_two_images_is_refused_by_name():
    sides, scores, groups = [True, True, False, False], [1, 2, 3, 4], ["a", "a", "b", "c"]
    for call in (
        lambda: delong_interval(sides, scores, groups),
        lambda: delong_test(sides, scores, scores, groups),
    ):
        with pytest.raises(DataError, match="one image a patient") as raised:
            call()
        assert "1 of 4 images" in raised.value.where
        assert "bootstrap" in raised.value.hint
        assert "'a'" not in str(raised.value)
