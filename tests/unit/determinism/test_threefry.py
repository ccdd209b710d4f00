from __future__ import annotations

import numpy as np
import pytest
import torch

from cxr.determinism.threefry import threefry2x32

# Source: Random123 1.14, tests/kat_vectors, threefry2x32 with 20 rounds: counter, key, block.
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("counter", "key", "block"), KNOWN_ANSWERS)
def test_python_integers_give_the_published_block(counter, key, block):
    assert threefry2x32(key, counter) == block


@pytest.mark.parametrize(("counter", "key", "block"), KNOWN_ANSWERS)
@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
def test_numpy_scalars_give_the_published_block(dtype, counter, key, block):
    words = threefry2x32(tuple(map(dtype, key)), tuple(map(dtype, counter)))
    assert tuple(map(int, words)) == block


@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
def test_numpy_arrays_give_all_published_blocks_at_once(dtype):
    counters, keys, blocks = (
        np.array(column, dtype=dtype) for column in zip(*KNOWN_ANSWERS, strict=True)
    )
    left, right = threefry2x32((keys[:, 0], keys[:, 1]), (counters[:, 0], counters[:, 1]))
    assert left.dtype == right.dtype == dtype
    assert np.array_equal(np.stack([left, right], axis=1), blocks)


def test_torch_int64_gives_all_published_blocks_at_once():
    counters, keys, blocks = (torch.tensor(column) for column in zip(*KNOWN_ANSWERS, strict=True))
    left, right = threefry2x32((keys[:, 0], keys[:, 1]), (counters[:, 0], counters[:, 1]))
    assert left.dtype == right.dtype == torch.int64
    assert torch.equal(torch.stack([left, right], dim=1), blocks)


def test_a_key_broadcasts_against_many_counters():
    counters = np.arange(5, dtype=np.uint64)
    zero = np.zeros(5, dtype=np.uint64)
    left, right = threefry2x32((np.uint64(3), np.uint64(4)), (counters, zero))
    singles = [threefry2x32((3, 4), (counter, 0)) for counter in range(5)]
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == singles
