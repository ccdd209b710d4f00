from __future__ import annotations

import pytest

from cxr.reports.values import describe_values, show


@pytest.mark.parametrize(
    ("a", "b", "shown"),
    [
        ("1", "2", ("1", "2")),
        (None, True, ("-", "true")),
        (["a", "b"], ["b", "c"], ("only a", "only c")),
        (["a", "b"], ["b"], ("only a", "nothing more")),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ("b 2", "b 3")),
        ({"a": 1}, {}, ("a 1", "a -")),
        (
            [{"prefix": "libgomp", "version": None}, {"prefix": "libblas", "version": "0.3.30"}],
            [{"prefix": "libgomp", "version": None}, {"prefix": "libblas", "version": "0.3.34"}],
            ("only libblas 0.3.30", "only libblas 0.3.34"),
        ),
        ([{"name": "A GPU", "capability": "9.0"}], [], ("only A GPU 9.0", "nothing more")),
        (["a"], None, ("a", "-")),
    ],
)
def test_of_two_values_what_only_one_has_is_shown(a, b, shown):
    assert describe_values(a, b) == shown


def test_a_map_without_a_name_is_shown_whole():
    assert show({"locked": "1"}) == '{"locked": "1"}'
    assert show([]) == "none"
