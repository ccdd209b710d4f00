from __future__ import annotations

import pytest

from cxr.plain_text import count, is_plain_text, list_first


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [("a b.png", True), ("\u00e4", True), ("a\nb", False), ("\0", False), ("\udcff", False)],
)
def test_a_plain_text_can_be_written_on_one_line(text, is_plain):
    assert is_plain_text(text) is is_plain


def test_of_many_lines_the_first_few_are_shown_and_the_rest_counted():
    lines = [str(number) for number in range(2000)]
    assert list_first(lines[:3], 3) == ["0", "1", "2"]
    assert list_first(lines, 2) == ["0", "1", "and 1,998 more"]
    assert list_first([], 2) == []


def test_one_thing_is_told_in_the_singular():
    assert [count(number, "finding") for number in (0, 1, 2000)] == [
        "0 findings",
        "1 finding",
        "2,000 findings",
    ]
