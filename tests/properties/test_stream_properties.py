from __future__ import annotations

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from cxr.data.order import derive_epoch_batches
from cxr.determinism.streams import Stream, derive_key, derive_stream, uint64_matrix
from cxr.determinism.threefry import threefry2x32
from properties.strategies import examples, seeds, words

names = st.tuples(
    seeds,
    st.sampled_from(["init", "order", "augment", "step", "split"]),
    st.lists(st.integers(0, 2**40) | st.text(max_size=8), max_size=3),
)


@given(words, words, words, words)
@examples()
def test_every_kind_of_integer_gives_the_same_block(k0, k1, c0, c1):
    block = threefry2x32((k0, k1), (c0, c1))
    as_numpy = threefry2x32(tuple(map(np.uint64, (k0, k1))), tuple(map(np.uint64, (c0, c1))))
    as_torch = threefry2x32(tuple(map(torch.tensor, (k0, k1))), tuple(map(torch.tensor, (c0, c1))))
    assert tuple(map(int, as_numpy)) == block
    assert tuple(map(int, as_torch)) == block
    assert all(0 <= word < 2**32 for word in block)


@given(names, names)
@examples()
def test_other_names_have_other_streams(a, b):
    assume(a != b)
    assert derive_key(a[0], a[1], *a[2]) != derive_key(b[0], b[1], *b[2])


@given(seeds, st.integers(1, 2**64))
@examples(max_examples=200)
def test_a_draw_below_a_bound_is_below_it(seed, bound):
    stream = derive_stream(seed, "bootstrap")
    assert all(0 <= stream.below(bound) < bound for _ in range(5))


@given(seeds, st.integers(0, 200))
@examples()
def test_a_permutation_is_one(seed, num):
    order = derive_stream(seed, "order", 0).permutation(num)
    assert sorted(order.tolist()) == list(range(num))


@given(
    st.lists(st.tuples(words, words), max_size=4),
    st.integers(0, 6),
    st.integers(0, 2**62) | st.integers(2**32 - 6, 2**32),
)
@examples()
def test_a_matrix_of_blocks_is_what_single_draws_give(keys, num, start):
    found = uint64_matrix(keys, num, start=start)
    assert found.shape == (len(keys), num)
    assert found.tolist() == [
        [Stream(key, start + offset).uint64() for offset in range(num)] for key in keys
    ]


@given(seeds, st.integers(0, 50))
@examples()
def test_a_uniform_draw_is_in_its_interval(seed, num):
    stream = derive_stream(seed, "bootstrap")
    assert all(0 <= stream.uniform() < 1 for _ in range(num))


@given(seeds, st.integers(0, 10**6), st.integers(0, 120), st.integers(1, 40))
@examples()
def test_an_epoch_has_no_sample_twice(seed, epoch, num_samples, batch_size):
    batches = derive_epoch_batches(seed, epoch, num_samples=num_samples, batch_size=batch_size)
    flat = batches.ravel().tolist()
    assert batches.shape == (num_samples // batch_size, batch_size)
    assert len(set(flat)) == len(flat)
    assert set(flat) <= set(range(num_samples))
    again = derive_epoch_batches(seed, epoch, num_samples=num_samples, batch_size=batch_size)
    assert np.array_equal(again, batches)
