from __future__ import annotations

import dataclasses

import pytest

from cxr.data.checks.near_duplicates import find_near_duplicates
from cxr.data.checks.near_search import MAX_DISTANCE
from support.looks import pair, summarise

START = int("5a" * 32, 16)


def near(num_bits, *, start=0):
    """A likeness that differs from the first one in some bits, from ``start`` on."""
    return START ^ ((1 << num_bits) - 1 << start)


def find(*pairs):
    return summarise(find_near_duplicates(pairs))


A, B, C, D = (f"train/A/{name}.png" for name in "1234")


@pytest.mark.parametrize(
    ("other", "kinds"),
    [
        (B, {"near-duplicate-in-split": "note"}),
        ("train/B/9.png", {"near-duplicate-labels-differ": "warning"}),
        ("test/A/9.png", {"near-duplicate-across-splits": "warning"}),
        (
            "val/B/9.png",
            {"near-duplicate-across-splits": "warning", "near-duplicate-labels-differ": "warning"},
        ),
    ],
)
def test_pictures_within_the_distance_are_named_by_where_they_are(other, kinds):
    pairs = [pair(A, likeness=START), pair(other, likeness=near(MAX_DISTANCE)), pair(C)]
    found = list(find_near_duplicates(pairs))
    assert {problem.kind: problem.severity for problem in found} == kinds
    assert {problem.paths for problem in found} == {tuple(sorted([A, other]))}
    assert all("alike in all but 27 of 256 bits" in problem.detail for problem in found)


def test_one_bit_more_is_another_picture():
    assert find(pair(A, likeness=START), pair(B, likeness=near(MAX_DISTANCE + 1))) == []


def test_pictures_that_tell_nothing_are_left_out():
    for kind in ("constant", "too-small"):
        flat = pair(B, likeness=START, findings=((kind, "so it is"),))
        assert find(pair(A, likeness=START), flat) == []
    assert find(pair(A, likeness=None), pair(B, likeness=None)) == []


def test_equal_pictures_are_not_told_again_unless_a_third_one_is_near():
    copies = [pair(A, pixels="p", likeness=START), pair(B, pixels="p", likeness=START)]
    assert find(*copies) == []
    assert find(*copies, pair("test/A/7.png", likeness=near(3))) == [
        ("near-duplicate-across-splits", ("test/A/7.png", A, B))
    ]


def test_other_pictures_with_the_very_same_likeness_are_named():
    assert find(pair(A, likeness=START), pair(B, likeness=START)) == [
        ("near-duplicate-in-split", (A, B))
    ]


def test_a_chain_makes_groups_around_one_of_them_and_no_long_one():
    chain = [
        pair(A, likeness=START),
        pair(B, likeness=near(20)),
        pair(C, likeness=near(40)),
        pair(D, likeness=near(60)),
    ]
    wanted = [("near-duplicate-in-split", group) for group in ((A, B), (B, C, D))]
    assert find(*chain) == wanted
    assert find(*reversed(chain)) == wanted


def test_pictures_that_are_all_near_one_another_are_one_group():
    pairs = [pair(path, likeness=near(3, start=4 * n)) for n, path in enumerate((A, B, C, D))]
    assert find(*pairs) == [("near-duplicate-in-split", (A, B, C, D))]


def test_what_is_told_does_not_depend_on_the_image_having_other_findings():
    image, look = pair(B, likeness=near(1))
    turned = dataclasses.replace(look, findings=(("exif-rotated", "by 90 degrees"),))
    assert find(pair(A, likeness=START), (image, turned)) == [("near-duplicate-in-split", (A, B))]


def test_thousands_of_pictures_that_are_all_near_are_one_group_in_each_sense():
    frames = [
        pair(f"{('train', 'val')[n % 2]}/{'AB'[n % 3 == 0]}/{n}.png", likeness=START ^ n << 9)
        for n in range(3000)
    ]
    found = list(find_near_duplicates(frames))
    assert [problem.kind for problem in found] == [
        "near-duplicate-across-splits",
        "near-duplicate-labels-differ",
    ]
    assert {len(problem.paths) for problem in found} == {3000}


def test_a_near_copy_in_another_split_is_named_in_a_crowd_of_its_own_split():
    crowd = [pair(f"train/A/{n:03}.png", likeness=START ^ n) for n in range(300)]
    # Near the last one alone, which therefore need not be in the group of the others too.
    last = START ^ 299
    leak = pair("test/A/x.png", likeness=last ^ ((1 << 27) - 1 << 100))
    assert find(*crowd, leak) == [
        ("near-duplicate-across-splits", ("test/A/x.png", "train/A/299.png")),
        ("near-duplicate-in-split", tuple(image.path for image, _ in crowd[:-1])),
    ]


def test_one_likeness_in_two_splits_is_told_with_what_is_near_it():
    pairs = [pair(A, likeness=START), pair("test/A/2.png", likeness=START)]
    assert find(*pairs, pair(C, likeness=near(4))) == [
        ("near-duplicate-across-splits", ("test/A/2.png", A, C))
    ]
