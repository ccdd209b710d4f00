from __future__ import annotations

import pytest

from cxr.config.data_section import ExpectConfig
from cxr.data.checks.expectations import find_labels_out_of_range, find_unmet_expectations
from support.looks import pair

PAIRS = [
    pair("train/A/1.png", width=28, height=28),
    pair("train/A/2.png", width=28, height=28),
    pair("train/B/3.png", width=28, height=28),
    pair("test/B/4.png", width=28, height=28),
]


def find(pairs=PAIRS, **expect):
    found = find_unmet_expectations(pairs, ExpectConfig(**expect), where="root")
    return [(problem.kind, problem.paths, problem.detail) for problem in found]


def test_what_is_not_declared_is_not_looked_for():
    assert find() == []


def test_what_is_met_is_no_problem():
    counts = {"train": {"A": 2, "B": 1}, "test": {"A": 0, "B": 1}, "val": {"A": 0}}
    assert find(min_samples=4, counts=counts, size=(28, 28), features=784) == []


def test_too_few_samples():
    assert find(min_samples=5) == [("too-few-samples", ("root",), "4 samples, at least 5 declared")]


def test_other_counts_are_named_split_by_split():
    counts = {"train": {"A": 3, "B": 2}, "test": {"A": 1, "B": 1}, "val": {"B": 0}}
    assert find(counts=counts) == [
        ("counts-differ", ("root",), "test has 0 of A (1 declared)"),
        ("counts-differ", ("root",), "train has 2 of A (3 declared), 1 of B (2 declared)"),
    ]


def test_an_image_with_several_labels_counts_for_each_that_is_known():
    pairs = [
        pair("train/-/1.png", label="A|B?"),
        pair("train/-/2.png", label="A|B"),
        pair("train/-/3.png", label="-"),
    ]
    assert find(pairs, counts={"train": {"A": 2, "B": 1}}) == []
    assert find(pairs, counts={"train": {"A": 1, "B": 2}}) != []


def test_each_other_size_is_one_problem_and_an_unknown_one_is_none():
    odd = [
        pair("test/A/6.png", width=27, height=28),
        pair("test/A/5.png", width=27, height=28),
        pair("test/A/7.png", width=56, height=14),
        pair("test/A/8.png"),
    ]
    assert find(PAIRS + odd, size=(28, 28)) == [
        ("size-differs", ("test/A/5.png", "test/A/6.png"), "27 x 28 px, 28 x 28 declared"),
        ("size-differs", ("test/A/7.png",), "56 x 14 px, 28 x 28 declared"),
    ]
    assert find(PAIRS + odd, features=784) == [
        ("features-differ", ("test/A/5.png", "test/A/6.png"), "756 values, 784 declared"),
    ]


def test_width_is_not_taken_for_height():
    assert [
        kind for kind, _, _ in find([pair("train/A/1.png", width=20, height=30)], size=(30, 20))
    ]


@pytest.mark.parametrize("label", ["A", "B", "-", "A|B", "A?", "A|B?"])
def test_labels_that_name_classes_are_in_range(label):
    assert list(find_labels_out_of_range([pair("train/A/1.png", label=label)], ("A", "B"))) == []


@pytest.mark.parametrize("label", ["C", "", "a", "A|C", "A|", "A??"])
def test_labels_that_name_no_class_are_one_problem_each(label):
    names = ["train/A/2.png", "train/A/1.png"]
    pairs = [*PAIRS, *(pair(name, label=label) for name in names)]
    (problem,) = find_labels_out_of_range(pairs, ("A", "B"))
    assert (problem.kind, problem.paths) == ("label-out-of-range", tuple(sorted(names)))
    assert problem.detail == f"the label {label!r} is none of A, B"


def test_without_classes_no_label_is_judged():
    assert list(find_labels_out_of_range(PAIRS, ())) == []
