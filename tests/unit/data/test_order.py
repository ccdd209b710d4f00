from __future__ import annotations

import numpy as np
import pytest

from cxr.data.order import derive_epoch_batches
from cxr.determinism.streams import derive_stream


def test_batches_are_the_permutation_cut_into_rows():
    batches = derive_epoch_batches(7, 2, num_samples=10, batch_size=4)
    assert batches.shape == (2, 4)
    assert batches.dtype == np.int64
    order = derive_stream(7, "order", 2).permutation(10)
    assert batches.ravel().tolist() == order[:8].tolist()


def test_every_epoch_has_an_order_of_its_own():
    orders = [
        derive_epoch_batches(7, epoch, num_samples=32, batch_size=8).ravel().tolist()
        for epoch in range(5)
    ]
    assert len(set(map(tuple, orders))) == 5
    assert all(sorted(order) == list(range(32)) for order in orders)


def test_every_seed_has_an_order_of_its_own():
    a, b = (derive_epoch_batches(seed, 0, num_samples=32, batch_size=8) for seed in (1, 2))
    assert not np.array_equal(a, b)


def test_the_batch_size_does_not_change_the_order():
    small = derive_epoch_batches(7, 0, num_samples=24, batch_size=4)
    large = derive_epoch_batches(7, 0, num_samples=24, batch_size=12)
    assert small.ravel().tolist() == large.ravel().tolist()


def test_those_that_sit_out_take_turns():
    seen = {
        index
        for epoch in range(8)
        for index in derive_epoch_batches(7, epoch, num_samples=7, batch_size=4).ravel().tolist()
    }
    assert seen == set(range(7))


def test_a_known_order_stays_as_it_is():
    found = derive_epoch_batches(42, 0, num_samples=8, batch_size=8)
    assert found.tolist() == [[3, 1, 4, 6, 7, 5, 0, 2]]


@pytest.mark.parametrize(("num_samples", "shape"), [(3, (0, 4)), (4, (1, 4)), (5, (1, 4))])
def test_a_batch_is_never_short(num_samples, shape):
    assert derive_epoch_batches(0, 0, num_samples=num_samples, batch_size=4).shape == shape
