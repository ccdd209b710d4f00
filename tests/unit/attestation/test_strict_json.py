"""JSON that two readers might read differently is refused."""

from __future__ import annotations

import pytest

from cxr.attestation.strict_json import parse_json_object


def test_an_object_is_read():
    assert parse_json_object(b' {"a": [1, {"b": null}], "\\u00e4": "\xc3\xa4"}\n') == {
        "a": [1, {"b": None}],
        "ä": "ä",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1, "a": 1}', "it has the key 'a' twice"),
        (b'{"a": [{"b": 1, "c": 2, "\\u0062": 3}]}', "it has the key 'b' twice"),
        (b'{"a": NaN}', "it holds NaN"),
        (b'{"a": -Infinity}', "it holds -Infinity"),
        (b'{"a": -1e999}', "it holds -1e999"),
        (b'{"a": "\xff"}', "it is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "it is not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "it is not JSON"),
        (b'{"a": 1} {}', "it is not JSON: Extra data"),
        (b'{"a": 1', "it is not JSON"),
        (b"", "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b'"text"', "it is not a JSON object"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "it is nested too deeply"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "digits"),
    ],
)
def test_anything_else_is_refused_with_the_reason(content: bytes, said: str):
    with pytest.raises(ValueError, match=said):
        parse_json_object(content)
