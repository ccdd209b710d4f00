from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import cxr
from cxr.determinism.streams import (
    MAX_SEED,
    PURPOSES,
    Stream,
    derive_key,
    derive_seed,
    derive_stream,
    uint32_matrix,
    uint64_matrix,
)


class ScriptedStream(Stream):
    """A stream whose blocks are given."""

    def __init__(self, blocks):
        super().__init__((0, 0))
        self.blocks = list(blocks)

    def uint64(self):
        return self.blocks.pop(0)


def test_a_key_is_the_start_of_the_sha256_of_the_canonical_name():
    digest = hashlib.sha256(b'[42,"augment",3,17]').digest()
    high, low = int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:8], "big")
    assert derive_key(42, "augment", 3, 17) == (high, low)


def test_seeds_of_known_streams_stay_as_they_are():
    assert derive_seed(42, "init") == 11735337032146252165
    assert derive_seed(42, "step", 0) == 12442416747250619567
    assert derive_seed(0, "split", "person1/bacteria") == 17790483350094134976


@pytest.mark.parametrize(
    "other",
    [
        (43, "augment", 0, 1),
        (42, "order", 0, 1),
        (42, "augment", 1, 0),
        (42, "augment", 0, "1"),
        (42, "augment", 0),
        (42, "augment", 0, 1, 0),
    ],
)
def test_streams_with_any_other_name_have_another_key(other):
    assert derive_key(42, "augment", 0, 1) != derive_key(*other)


def test_a_stream_does_not_depend_on_what_others_have_taken():
    fresh = derive_stream(7, "order", 1).uint64()
    busy = derive_stream(7, "order", 0)
    busy.uint64_array(1000)
    assert derive_stream(7, "order", 1).uint64() == fresh


def test_a_position_alone_resumes_a_stream():
    whole = derive_stream(7, "order", 0)
    expected = [whole.uint64() for _ in range(10)]
    resumed = Stream(derive_key(7, "order", 0), position=6)
    assert [resumed.uint64() for _ in range(4)] == expected[6:]


def test_arrays_continue_where_single_draws_stopped():
    scalar, mixed = derive_stream(1, "order", 0), derive_stream(1, "order", 0)
    expected = [scalar.uint64() for _ in range(9)]
    found = [mixed.uint64(), *mixed.uint64_array(5).tolist(), *(mixed.uint64() for _ in range(3))]
    assert found == expected
    assert mixed.position == 9


def test_a_matrix_equals_scalar_draws_past_the_32_bit_boundary():
    keys = [derive_key(1, "augment", 0, index) for index in range(3)]
    start = 2**32 - 2
    expected = [[Stream(key, start + offset).uint64() for offset in range(4)] for key in keys]
    assert uint64_matrix(keys, 4, start=start).tolist() == expected


def test_uniform_is_the_upper_53_bits():
    assert ScriptedStream([2**64 - 1]).uniform() == 1 - 2.0**-53
    assert ScriptedStream([2**11 - 1]).uniform() == 0.0
    assert ScriptedStream([2**11]).uniform() == 2.0**-53


def test_below_takes_the_upper_half_of_the_product():
    assert ScriptedStream([2**63 + 1]).below(10) == 5
    assert ScriptedStream([MAX_SEED]).below(2**64) == MAX_SEED
    assert ScriptedStream([123]).below(1) == 0


def test_below_draws_again_where_a_block_would_bias():
    # 2^64 mod 3 is 1: of the low halves only 0 is surplus, and block 0 gives it.
    assert ScriptedStream([0, 2**63]).below(3) == 1


def test_below_reaches_every_number_about_equally_often():
    stream = derive_stream(5, "bootstrap")
    counts = np.bincount([stream.below(6) for _ in range(6000)], minlength=6)
    assert counts.min() > 850
    assert counts.max() < 1150


def test_a_permutation_sorts_the_blocks():
    blocks = derive_stream(3, "order", 0).uint64_array(50)
    order = derive_stream(3, "order", 0).permutation(50)
    assert order.dtype == np.int64
    assert np.array_equal(blocks[order], np.sort(blocks))


def test_equal_blocks_keep_their_order(monkeypatch):
    monkeypatch.setattr(
        Stream, "uint64_array", lambda _self, num: np.arange(num, dtype=np.uint64) % 7
    )
    wanted = sorted(range(1000), key=lambda index: index % 7)
    assert derive_stream(3, "order", 0).permutation(1000).tolist() == wanted


def test_every_purpose_in_the_sources_is_listed():
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in Path(cxr.__file__).parent.rglob("*.py")
    )
    used = re.findall(r'derive_(?:key|seed|stream)\([^"\n]*"([a-z_]+)"', sources)
    assert used
    assert set(used) <= PURPOSES.keys()


def test_words_of_32_bits_are_those_of_the_blocks():
    keys = [derive_key(1, "bootstrap", replicate) for replicate in range(3)]
    words = uint32_matrix(keys, 5)
    blocks = uint64_matrix(keys, 5)
    assert words.dtype == np.uint32
    assert words[:, 0::2].tolist() == (blocks & np.uint64(0xFFFFFFFF)).tolist()
    assert words[:, 1::2].tolist() == (blocks >> np.uint64(32)).tolist()
