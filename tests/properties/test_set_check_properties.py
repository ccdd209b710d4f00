"""What is planted in a set is found wherever it stands, and nothing else is."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from cxr.data.checks.duplicates import find_duplicates
from cxr.data.checks.group_checks import find_ambiguous_groups, find_groups_in_two_splits
from cxr.data.checks.near_duplicates import find_near_duplicates
from cxr.data.checks.near_search import MAX_DISTANCE
from cxr.data.inspection.likeness import NUM_BITS
from properties.strategies import examples
from support.looks import pair, summarise

CHECKS = (
    find_duplicates,
    find_near_duplicates,
    find_groups_in_two_splits,
    find_ambiguous_groups,
)

folders = st.tuples(st.sampled_from(["train", "val", "test"]), st.sampled_from(["A", "B"]))

turned_bits = st.sets(st.integers(0, NUM_BITS - 1), max_size=MAX_DISTANCE + 6)


@st.composite
def sound_sets(draw):
    """Images in any split and class, each with a picture and a patient of its own."""
    places = draw(st.lists(folders, min_size=2, max_size=8))
    return [
        pair(
            f"{split}/{label}/{number}.png",
            group=f"patient {number}",
            pixels=f"pixels {number}",
            likeness=int(hashlib.sha256(b"%d" % number).hexdigest(), 16),
        )
        for number, (split, label) in enumerate(places)
    ]


def check_all(pairs):
    return summarise(problem for check in CHECKS for problem in check(pairs))


def name_kinds(family, first, second):
    kinds = []
    if first.split != second.split:
        kinds.append(f"{family}-across-splits")
    if first.label != second.label:
        kinds.append(f"{family}-labels-differ")
    return kinds or [f"{family}-in-split"]


@given(sound_sets())
@examples(max_examples=30)
def test_nothing_is_found_in_a_sound_set(pairs):
    assert check_all(pairs) == []


@given(
    sound_sets(),
    st.data(),
    folders,
    st.sampled_from(["bytes", "pixels", "likeness", "group"]),
    turned_bits,
    st.randoms(use_true_random=False),
)
@examples(max_examples=50)
def test_a_planted_copy_is_found_wherever_it_stands(pairs, data, folder, what, turned, random):
    image, look = data.draw(st.sampled_from(pairs))
    likeness = look.likeness
    if what == "likeness":
        likeness ^= sum(1 << place for place in turned)
    planted, seen = pair(
        f"{folder[0]}/{folder[1]}/planted.png",
        group=image.group if what == "group" else "another patient",
        content=look.sha256 if what == "bytes" else "other bytes",
        pixels=look.pixels if what in ("bytes", "pixels") else "other pixels",
        likeness=None if what == "group" else likeness,
    )
    shuffled = random.sample([*pairs, (planted, seen)], len(pairs) + 1)
    if what == "group":
        kinds = ["group-in-two-splits"] * (image.split != planted.split)
    elif what == "likeness":
        is_near = len(turned) <= MAX_DISTANCE
        kinds = name_kinds("near-duplicate", image, planted) if is_near else []
    else:
        family = {"bytes": "duplicate", "pixels": "same-pixels"}[what]
        kinds = name_kinds(family, image, planted)
    paths = tuple(sorted([image.path, planted.path]))
    assert check_all(shuffled) == [(kind, paths) for kind in kinds]
