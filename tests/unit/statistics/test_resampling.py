from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cxr.determinism.streams import derive_key, uint64_matrix
from cxr.statistics.resampling import draw_multiplicities
from support.naive_figures import draw_groups


@pytest.mark.parametrize("num_groups", [1, 2, 3, 7, 624])
def test_a_replicate_takes_what_its_stream_says_word_by_word(num_groups):
    drawn = draw_multiplicities(9, range(4), num_groups)
    for replicate, row in enumerate(drawn.tolist()):
        taken = Counter(draw_groups(9, replicate, num_groups))
        assert row == [taken[group] for group in range(num_groups)]
    assert drawn.sum(axis=1).tolist() == [num_groups] * 4
    assert drawn.dtype == np.int32


def test_words_that_would_favour_some_groups_are_replaced():
    # 2^32 leaves a remainder of 17296 here, so one replicate in five meets such a word.
    num_groups = 50_000
    taken = Counter(draw_groups(0, 5, num_groups))
    assert draw_without_refusal(0, 5, num_groups) != taken
    row = draw_multiplicities(0, range(5, 6), num_groups)[0]
    assert np.array_equal(row, [taken[group] for group in range(num_groups)])


def draw_without_refusal(root, replicate, num_groups):
    blocks = uint64_matrix([derive_key(root, "bootstrap", replicate)], num_groups // 2)[0]
    words = [half for block in blocks.tolist() for half in (block & 0xFFFFFFFF, block >> 32)]
    return Counter(word * num_groups >> 32 for word in words)


def test_a_replicate_does_not_depend_on_those_drawn_with_it():
    together = draw_multiplicities(3, range(50), 1000)
    alone = [draw_multiplicities(3, range(one, one + 1), 1000)[0] for one in range(50)]
    assert np.array_equal(together, np.stack(alone))
    assert len({row.tobytes() for row in together}) == 50


def test_resamples_of_known_streams_stay_as_they_are():
    assert draw_multiplicities(42, range(2), 8).tolist() == GOLDEN


def test_every_group_is_taken_equally_often():
    taken = draw_multiplicities(5, range(4000), 10).sum(axis=0)
    # Standard deviation of each: sqrt(40000 * 0.1 * 0.9) = 60.
    assert np.abs(taken - 4000).max() < 240


GOLDEN = [[1, 0, 1, 2, 0, 1, 2, 1], [1, 2, 0, 0, 0, 1, 1, 3]]
