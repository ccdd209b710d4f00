from __future__ import annotations

import hashlib
import math

import pytest

from cxr.digests.canonical import canonical_json, digest_bytes, digest_json


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ({"Z": 1, "a": 2, "ä": 3}, b'{"Z":1,"a":2,"\\u00e4":3}'),
        ("lung\n\U0001fac1", b'"lung\\n\\ud83e\\udec1"'),
        ((1, 2), b"[1,2]"),
        (2**64 - 1, b"18446744073709551615"),
        (1.0, b"1.0"),
        (0.1, b"0.1"),
        (-0.0, b"-0.0"),
        (1e-3, b"0.001"),
        (1e22, b"1e+22"),
        (5e-324, b"5e-324"),
    ],
)
def test_a_value_has_one_sequence_of_bytes(value, content):
    assert canonical_json(value) == content


def test_the_order_of_keys_does_not_matter():
    assert canonical_json({"a": 1, "b": {"c": 2, "d": 3}}) == canonical_json(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinities_are_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"loss": [value]})


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, {("a",): 1}, object()])
def test_what_json_has_no_word_for_is_refused(value):
    with pytest.raises(TypeError):
        canonical_json(value)


def test_digests_are_sha256_with_a_prefix():
    assert digest_bytes(b"") == (
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    wanted = hashlib.sha256(b'{"a":1}').hexdigest()
    assert digest_json({"a": 1}) == f"sha256:{wanted}"


@pytest.mark.parametrize(("a", "b"), [(0.0, -0.0), (1, 1.0), ("1", 1), (None, "null"), ([], {})])
def test_values_that_differ_have_other_digests(a, b):
    assert digest_json(a) != digest_json(b)
