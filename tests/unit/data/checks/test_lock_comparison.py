from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cxr.data.checks.lock_comparison import compare_with_lock
from cxr.data.inspection.look import Look
from cxr.data.sources.source import FoundImage
from cxr.records.set_lock import LockedImage, SetLock

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def locked(path, sha256=A, pixels=B, **changes):
    values = {"label": "A", "group": "person1", "split": "train", **changes}
    return LockedImage(path=path, bytes=3, sha256=sha256, pixels=pixels, **values)


def found(path, sha256=A, pixels=B, *, label="A", group="person1", split="train"):
    image = FoundImage(Path(path), path, label, group, split)
    return image, Look(num_bytes=3, sha256=sha256, pixels=pixels)


def compare(images, pairs, *, rules=None, of_run=False, classes=("A",)):
    rules = {"source": "folder"} if rules is None else rules
    lock = SetLock(classes=("A",), images=tuple(images), rules={}, of_run=of_run)
    problems = compare_with_lock(pairs, lock, classes=classes, rules=rules or None)
    return [(problem.kind, problem.paths) for problem in problems]


def test_an_equal_set_has_no_difference():
    assert compare([locked("x"), locked("y", C)], [found("y", C), found("x")]) == []


def test_the_same_bytes_that_decode_to_other_pixels_are_named():
    assert compare([locked("x")], [found("x", pixels=C)]) == [("pixels-changed", ("x",))]
    # Nor does it matter why: they may no longer decode at all.
    image, look = found("x", pixels="")
    broken = dataclasses.replace(look, findings=(("damaged", "no longer decodes"),))
    assert compare([locked("x")], [(image, broken)]) == [("pixels-changed", ("x",))]
    # Where only bytes were looked at, nothing is known of pixels; nor by a lock without them.
    assert compare([locked("x")], [found("x", pixels="")]) == []
    assert compare([locked("x", pixels="")], [found("x")]) == []


def test_other_bytes_are_changed_whatever_their_pixels():
    assert compare([locked("x")], [found("x", C)]) == [("changed", ("x",))]
    assert compare([locked("x")], [found("x", C, C)]) == [("changed", ("x",))]


@pytest.mark.parametrize("num", [1, 2, 3])
def test_of_several_with_the_same_bytes_each_is_renamed_once(num):
    problems = compare(
        [locked(f"old{i}") for i in range(2)], [found(f"renamed{i}") for i in range(num)]
    )
    pairs = [("renamed", (f"old{i}", f"renamed{i}")) for i in range(min(num, 2))]
    assert problems[: len(pairs)] == pairs
    assert problems[len(pairs) :] == {1: [("missing", ("old1",))], 2: []}.get(
        num, [("extra", ("renamed2",))]
    )


def test_a_renamed_file_is_held_against_its_label_group_and_split_as_well():
    moved = found("test/B/y", label="B", group="person2", split="test")
    assert compare([locked("train/A/x")], [moved]) == [
        ("renamed", ("test/B/y", "train/A/x")),
        ("label-changed", ("test/B/y",)),
        ("split-changed", ("test/B/y",)),
        ("group-changed", ("test/B/y",)),
    ]


def test_without_rules_images_alone_are_compared():
    other = found("x", label="B", group="person2", split="test")
    assert compare([locked("x")], [other], rules={}) == []


def test_of_a_run_s_lock_groups_and_splits_count_and_rules_do_not():
    other = found("x", group="person2", split="val")
    problems = compare([locked("x")], [other], of_run=True, rules={"validation_fraction": 0.2})
    assert problems == [("split-changed", ("x",)), ("group-changed", ("x",))]


def test_another_order_of_classes_and_another_share_are_named():
    assert compare([locked("x")], [found("x")], classes=("B", "A")) == [("rules-changed", ())]
    shares = {"validation_fraction": 0.2, "split_seed": 1}
    assert compare([locked("x")], [found("x")], rules=shares) == [("rules-changed", ())] * 2
    # A seed that divides nothing does not count.
    assert compare([locked("x")], [found("x")], rules={"split_seed": 1}) == []
