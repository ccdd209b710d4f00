from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxr.data.labels import (
    derive_answers,
    derive_indices,
    find_unknown_labels,
    have_one_each,
    require_known_labels,
)
from cxr.data.sources.source import FoundImage
from cxr.errors import DataError

CLASSES = ("A", "B", "C")


def find(*labels):
    return [
        FoundImage(Path("x"), f"train/{n}", one, str(n), "train") for n, one in enumerate(labels)
    ]


def test_answers_are_targets_and_what_is_known_of_them():
    targets, known = derive_answers(("A|C?", "-", "B"), CLASSES)
    assert targets.dtype == np.float32
    assert known.dtype == np.bool_
    assert targets.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert known.tolist() == [[True, True, False], [True] * 3, [True] * 3]


def test_nothing_has_no_answers():
    targets, known = derive_answers((), CLASSES)
    assert targets.shape == known.shape == (0, 3)


def test_indices_are_places_in_the_list_of_classes():
    assert derive_indices(("C", "A", "C"), CLASSES).tolist() == [2, 0, 2]
    assert derive_indices((), CLASSES).dtype == np.int64


@pytest.mark.parametrize(
    ("texts", "one"), [(("A", "B"), True), (("A", "A|B"), False), (("-",), False), (("B?",), False)]
)
def test_a_set_has_one_class_each_only_if_every_image_has(texts, one):
    assert have_one_each(texts, CLASSES) is one


def test_labels_that_name_no_class_are_found_and_refused_a_few_of_them_named():
    found = find("A", "7 (?)", "A|B?", *["D"] * 6)
    assert [image.path for image in find_unknown_labels(found, CLASSES)] == [
        "train/1",
        *(f"train/{number}" for number in range(3, 9)),
    ]
    with pytest.raises(DataError, match="the labels of 7 samples name none") as caught:
        require_known_labels(found, CLASSES)
    assert caught.value.where.startswith("train/1: 7 (?)\n")
    assert caught.value.where.endswith("and 2 more")
    require_known_labels(find("A", "B|C", "-"), CLASSES)
