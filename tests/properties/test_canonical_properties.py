from __future__ import annotations

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from cxr.digests.canonical import canonical_json, digest_json
from cxr.records.manifest import is_sealed, seal_manifest
from properties.strategies import examples, json_values


@given(json_values)
@examples()
def test_a_value_reads_back_to_itself_and_to_the_same_bytes(value):
    content = canonical_json(value)
    again = json.loads(content)
    assert repr(again) == repr(value) or again == value
    assert canonical_json(again) == content
    assert content.isascii()
    assert b"\n" not in content


@given(st.dictionaries(st.text(), json_values), st.randoms(use_true_random=False))
@examples()
def test_the_order_of_keys_does_not_matter(value, random):
    keys = random.sample(list(value), len(value))
    assert canonical_json({key: value[key] for key in keys}) == canonical_json(value)


@given(json_values, json_values)
@examples()
def test_values_that_differ_have_other_bytes(a, b):
    if json.dumps(a, sort_keys=True) != json.dumps(b, sort_keys=True):
        assert canonical_json(a) != canonical_json(b)
        assert digest_json(a) != digest_json(b)
    else:
        assert canonical_json(a) == canonical_json(b)


@given(st.dictionaries(st.text(), json_values, min_size=1), st.data())
@examples()
def test_any_other_value_breaks_the_seal_of_a_manifest(content, data):
    sealed = seal_manifest(content)
    assert is_sealed(sealed)
    key = data.draw(st.sampled_from(sorted(content)))
    value = data.draw(json_values)
    assume(canonical_json(value) != canonical_json(content[key]))
    assume(key != "manifest_digest")
    assert not is_sealed({**sealed, key: value})
    assert not is_sealed({name: sealed[name] for name in sealed if name != key})
