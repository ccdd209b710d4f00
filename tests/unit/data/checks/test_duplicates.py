from __future__ import annotations

import dataclasses

import pytest

from cxr.data.checks.duplicates import find_duplicates
from support.looks import pair, summarise

A, B, C = "train/A/1.png", "train/A/2.png", "train/A/3.png"
OTHER_LABEL, OTHER_SPLIT, OTHER_BOTH = "train/B/4.png", "test/A/5.png", "val/B/6.png"


def find(*pairs):
    return summarise(find_duplicates(pairs))


@pytest.mark.parametrize(
    ("other", "suffixes"),
    [
        (B, ["in-split"]),
        (OTHER_LABEL, ["labels-differ"]),
        (OTHER_SPLIT, ["across-splits"]),
        (OTHER_BOTH, ["across-splits", "labels-differ"]),
    ],
)
@pytest.mark.parametrize("same", ["content", "pixels"])
def test_copies_are_named_by_where_they_are(other, suffixes, same):
    paths = tuple(sorted([A, other]))
    family = {"content": "duplicate", "pixels": "same-pixels"}[same]
    found = find(pair(A, **{same: "x"}), pair(C), pair(other, **{same: "x"}))
    assert found == [(f"{family}-{suffix}", paths) for suffix in suffixes]


def test_three_copies_are_one_problem_and_tell_all_splits_and_labels():
    found = list(
        find_duplicates([pair(path, content="x") for path in (A, OTHER_SPLIT, OTHER_BOTH)])
    )
    assert [(problem.kind, problem.severity, problem.detail) for problem in found] == [
        ("duplicate-across-splits", "error", "the same bytes in test and train and val"),
        ("duplicate-labels-differ", "error", "the same bytes under A and B"),
    ]
    assert {problem.paths for problem in found} == {(OTHER_SPLIT, A, OTHER_BOTH)}


def test_equal_bytes_are_not_told_again_as_equal_pixels_but_a_third_file_is():
    copies = [pair(A, content="x", pixels="p"), pair(B, content="x", pixels="p")]
    assert find(*copies) == [("duplicate-in-split", (A, B))]
    again = pair(OTHER_SPLIT, content="y", pixels="p")
    assert find(*copies, again) == [
        ("duplicate-in-split", (A, B)),
        ("same-pixels-across-splits", (OTHER_SPLIT, A, B)),
    ]


def test_files_without_bytes_or_without_pixels_are_no_copies_of_each_other():
    for fields in ({"num_bytes": 0}, {"sha256": ""}):
        pairs = [
            (image, dataclasses.replace(look, pixels="", **fields))
            for image, look in (pair(A, content="x"), pair(B, content="x"))
        ]
        assert find(*pairs) == []
    unlike = [(image, dataclasses.replace(look, pixels="")) for image, look in (pair(A), pair(B))]
    assert find(*unlike) == []
