from __future__ import annotations

import pytest

from cxr.data.groups import derive_group
from cxr.errors import DataError

KERMANY = r"^(person\d+_(?:bacteria|virus)|(?:NORMAL2-)?IM-\d+)"


@pytest.mark.parametrize(
    ("name", "pattern", "group"),
    [
        ("person1_bacteria_2.jpeg", KERMANY, "person1_bacteria"),
        ("person1_virus_6.jpeg", KERMANY, "person1_virus"),
        ("person10_bacteria_43.jpeg", KERMANY, "person10_bacteria"),
        ("IM-0115-0001.jpeg", KERMANY, "IM-0115"),
        ("NORMAL2-IM-0115-0001.jpeg", KERMANY, "NORMAL2-IM-0115"),
        ("person1_bacteria_2.jpeg", r"(person)(\d+)_(bacteria|virus)", "person/1/bacteria"),
        ("b2.png", r"(a\d)|(b\d)", "b2"),
        ("patient7-left.png", r"patient\d+", "patient7"),
    ],
)
def test_a_group_is_what_the_pattern_captures(name, pattern, group):
    assert derive_group(name, pattern, where="x") == group


def test_a_name_that_the_pattern_does_not_match_is_refused_by_its_place():
    with pytest.raises(DataError, match="does not match a file's name") as caught:
        derive_group("person.png", r"person\d+", where="data/person.png")
    assert caught.value.where == "data/person.png"


def test_a_pattern_that_captures_nothing_of_a_name_does_not_pool_its_images():
    with pytest.raises(DataError, match="does not match a file's name"):
        derive_group("other.png", r"(person\d+)?", where="x")
