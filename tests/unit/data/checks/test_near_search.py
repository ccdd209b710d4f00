from __future__ import annotations

import numpy as np
import pytest

from cxr.data.checks import near_search
from cxr.data.checks.near_search import MAX_DISTANCE, NUM_BANDS, find_clusters, pack_words
from cxr.data.inspection.likeness import NUM_BITS


def flip(likeness, places):
    for place in places:
        likeness ^= 1 << place
    return likeness


def search(likenesses):
    return [cluster.tolist() for cluster in find_clusters(pack_words(likenesses))]


def join_all_pairs(likenesses):
    """The oracle: every pair, compared in plain Python, and what hangs together."""
    clusters = [{place} for place in range(len(likenesses))]
    for high in range(len(likenesses)):
        for low in range(high):
            if (likenesses[low] ^ likenesses[high]).bit_count() <= MAX_DISTANCE:
                joined = [one for one in clusters if one & {low, high}]
                clusters = [one for one in clusters if not one & {low, high}]
                clusters.append(set().union(*joined))
    return sorted(sorted(one) for one in clusters if len(one) > 1)


@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_exactly_what_trying_all_pairs_finds(seed):
    draw = np.random.default_rng(seed)
    likenesses = []
    for _ in range(40):
        first = int.from_bytes(draw.bytes(NUM_BITS // 8))
        likenesses.append(first)
        for _ in range(4):
            num_bits = draw.choice([0, 1, 2, 13, 25, 26, 27, 28, 29, 40])
            places = draw.choice(NUM_BITS, num_bits, replace=False)
            likenesses.append(flip(first, places.tolist()))
    wanted = join_all_pairs(likenesses)
    assert {2, 5} <= {len(cluster) for cluster in wanted}
    assert search(likenesses) == wanted


@pytest.mark.parametrize("spare", range(NUM_BANDS))
def test_the_worst_case_of_the_pigeonhole_is_found_whichever_bit_it_leaves(spare):
    # Two bits in every band but one, which has one, each of its bits in turn: no band is equal.
    draw = np.random.default_rng(spare)
    bands = [range(start, NUM_BITS, NUM_BANDS) for start in range(NUM_BANDS)]
    likenesses = []
    for last in bands[spare]:
        others = [draw.choice(band, 2, replace=False) for band in bands if band != bands[spare]]
        places = [last, *np.concatenate(others).tolist()]
        assert len(places) == MAX_DISTANCE
        first = int.from_bytes(draw.bytes(NUM_BITS // 8))
        likenesses += [first, flip(first, [NUM_BITS - 1 - place for place in places])]
    assert search(likenesses) == [[n, n + 1] for n in range(0, len(likenesses), 2)]


@pytest.mark.parametrize("likenesses", [[], [5]])
def test_fewer_than_two_hashes_are_no_cluster(likenesses):
    assert search(likenesses) == []


def test_thousands_that_are_all_near_are_compared_a_few_times_each(monkeypatch):
    draw = np.random.default_rng(0)
    first = int.from_bytes(draw.bytes(NUM_BITS // 8))
    near = [flip(first, draw.choice(NUM_BITS, 5, replace=False).tolist()) for _ in range(3000)]
    compared = []

    def count(words, low, high):
        compared.append(len(high))
        return count_bits(words, low, high)

    count_bits = near_search.count_bits
    monkeypatch.setattr(near_search, "count_bits", count)
    assert search(near) == [list(range(3000))]
    # Each band is searched by itself. All pairs would be 4.5 million, in each of them.
    assert sum(compared) < 10 * NUM_BANDS * len(near)
