from __future__ import annotations

import numpy as np
import pytest

from cxr.data.checks.group_checks import find_ambiguous_groups, find_groups_in_two_splits
from support.looks import pair


def find_overlaps(*pairs):
    return [(problem.paths, problem.detail) for problem in find_groups_in_two_splits(pairs)]


def find_notes(*pairs):
    problems = list(find_ambiguous_groups(pairs))
    assert all((p.kind, p.severity) == ("group-ambiguous", "note") for p in problems)
    return [(problem.paths, problem.detail) for problem in problems]


def test_a_group_in_two_splits_is_named_with_all_its_files():
    pairs = [
        pair("train/A/1.png", group="p1"),
        pair("train/B/2.png", group="p1"),
        pair("train/A/3.png", group="p2"),
        pair("test/A/4.png", group="p1"),
        pair("val/A/5.png", group="p3"),
        pair("val/B/6.png", group="p3"),
    ]
    paths = ("test/A/4.png", "train/A/1.png", "train/B/2.png")
    assert find_overlaps(*pairs) == [(paths, "group p1 is in test and train")]


def draw_kermany():
    """Names as in the set: bacteria and virus counted separately, and two series of normals."""
    return [
        *[pair(f"train/PNEUMONIA/person{n}_bacteria_{n}.jpeg") for n in range(1, 9)],
        *[pair(f"train/PNEUMONIA/person{n}_virus_{n}.jpeg") for n in range(1, 5)],
        *[pair(f"test/PNEUMONIA/person{n}_virus_{n}.jpeg") for n in range(5, 8)],
        *[pair(f"train/NORMAL/IM-{n:04}-0001.jpeg") for n in range(1, 9)],
        *[pair(f"test/NORMAL/NORMAL2-IM-{n:04}-0001.jpeg") for n in range(1, 9)],
    ]


def regroup(pairs, derive):
    return [
        pair(image.path, group=derive(image.path.split("/")[-1].removesuffix(".jpeg")))
        for image, _ in pairs
    ]


def test_numbers_that_run_separately_are_noted_once_and_prefixes_are_not():
    pairs = regroup(draw_kermany(), lambda name: name.rpartition("-" if "IM" in name else "_")[0])
    assert find_overlaps(*pairs) == []
    (paths, detail), *others = find_notes(*pairs)
    assert others == []
    assert detail == (
        "7 numbers stand in several groups, which differ in a word alone (_bacteria, _virus); "
        "taken for one patient each, 3 would be in two splits and 0 under two labels: "
        "do the numbers run separately?"
    )
    assert len(paths) == 14
    assert not [path for path in paths if "NORMAL" in path]


def test_a_key_without_the_word_is_an_error_and_the_note_says_which_word():
    pairs = regroup(
        draw_kermany(),
        lambda name: name.rpartition("-")[0] if "IM" in name else name.partition("_")[0],
    )
    assert len(find_overlaps(*pairs)) == 3
    (_, detail), *others = find_notes(*pairs)
    assert others == []
    assert detail.startswith(
        "3 groups are in two splits, and none would be if a word of the files'"
    )
    assert "(_bacteria_, _virus_)" in detail


def test_a_word_that_tells_the_splits_apart_explains_no_leak():
    pairs = [
        pair(f"{split}/A/p{n}_{split}_1.png", group=f"p{n}")
        for n in range(5)
        for split in ("train", "test")
    ]
    assert len(find_overlaps(*pairs)) == 5
    assert find_notes(*pairs) == []


def test_a_word_that_does_not_part_every_group_explains_no_leak():
    rows = [("train", "front"), ("test", "side")], [("train", "side"), ("test", "front")]
    pairs = [
        pair(f"{split}/A/p{n}_{view}_1{split[0]}.png", group=f"p{n}")
        for n in range(6)
        for split, view in rows[n % 2]
    ]
    assert find_notes(*pairs)
    both = [pair(f"{split}/A/p0_front_1{split[0]}.png", group="p0") for split in ("train", "val")]
    assert find_notes(*pairs, *both) == []


def test_numbers_shared_within_one_split_and_label_are_no_note():
    pairs = [
        pair(f"train/A/{word}{n}_1.png", group=f"p{n}{word}") for n in range(3) for word in "xy"
    ]
    assert find_notes(*pairs) == []
    assert find_notes(*pairs, pair("train/B/z_1.png", group="p1z")) != []


@pytest.mark.parametrize("key", ["p{}/{}", "{}/{}", "{1}/p{0}", "{1}/{0}", "p{}{}", "{}{}"])
def test_a_word_may_stand_anywhere_in_the_key(key):
    cases = [("train", 1, "front"), ("test", 1, "side"), ("train", 2, "side"), ("val", 3, "front")]
    pairs = [
        pair(f"{split}/A/{n}{word}.png", group=key.format(n, word)) for split, n, word in cases
    ]
    (paths, detail), *others = find_notes(*pairs)
    assert others == []
    assert paths == ("test/A/1side.png", "train/A/1front.png")
    assert "1 would be in two splits and 0 under two labels" in detail


def test_a_word_in_front_of_a_number_names_a_series_of_its_own():
    pairs = [pair("train/A/1.png", group="IM-1"), pair("test/B/1.png", group="person1")]
    assert find_notes(*pairs) == []


def test_many_words_are_names_of_patients_and_no_category():
    words = ["smith", "jones", "brown", "lopez", "chen", "sato", "silva", "kaya", "weber"]
    pairs = [
        pair(f"{split}/A/{word}.png", group=f"p1-{word}")
        for word, split in zip(words, ["train", "test"] * 5, strict=False)
    ]
    assert find_notes(*pairs) == []
    assert find_notes(*pairs[:8]) != []


@pytest.mark.parametrize(
    "other", ["PATIENT é7", "patient e\u03017", "patient é007", " Patient  é7", "patienté7"]
)
def test_keys_that_differ_in_how_they_are_written_are_noted(other):
    pairs = [
        pair("train/A/1.png", group="patient é7"),
        pair("test/A/2.png", group=other),
        pair("test/A/3.png", group="patient é70"),
        pair("test/A/4.png", group="patient e7b"),
    ]
    (paths, detail), *others = find_notes(*pairs)
    assert others == []
    assert paths == ("test/A/2.png", "train/A/1.png")
    assert " ".join(repr(other).split()) in detail
    assert "1 would be in two splits" in detail


def test_many_keys_written_in_two_ways_are_one_note():
    pairs = [
        pair(f"train/A/{n}_{form}.png", group=format(n, form))
        for n in range(1, 8)
        for form in ("02", "03")
    ]
    (paths, detail), *others = find_notes(*pairs)
    assert others == []
    assert len(paths) == 14
    assert "'001' and '01', '002' and '02', '003' and '03', …" in detail
    assert "0 would be in two splits" in detail


def test_files_that_are_their_own_group_have_no_key():
    names = [f"{split}/A/x{n}_{split}.png" for n in range(3) for split in ("train", "test")]
    assert find_notes(*map(pair, names)) == []
    assert find_notes(*(pair(name, group=name) for name in names)) == []


def test_order_does_not_matter():
    pairs = regroup(draw_kermany(), lambda name: name.partition("_")[0].partition("-")[0])
    shuffled = [pairs[place] for place in np.random.default_rng(1).permutation(len(pairs))]
    assert find_notes(*shuffled) == find_notes(*pairs)
    assert find_overlaps(*shuffled) == find_overlaps(*pairs)
