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


def test_the_bands_hold_every_bit_once_and_promise_the_distance():
    assert MAX_DISTANCE == 2 * NUM_BANDS - 1
    seen = 0
    for place in range(NUM_BITS):
        content = (1 << place).to_bytes(NUM_BITS // 8, "big")
        octets = np.frombuffer(content, dtype=np.uint8).reshape(1, -1)
        values = [int(near_search._cut_band(octets, start)[0]) for start in range(NUM_BANDS)]
        assert sorted(map(int.bit_count, values)) == [0] * (NUM_BANDS - 1) + [1]
        seen += sum(values)
    assert seen == sum(
        2 ** len(range(start, NUM_BITS, NUM_BANDS)) - 1 for start in range(NUM_BANDS)
    )


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
def test_the_worst_case_of_the_pigeonhole_is_found_whichever_band_it_leaves(spare):
    # Two bits in every band but one, which has one: 27 bits, no band equal.
    draw = np.random.default_rng(spare)
    bands = [range(start, NUM_BITS, NUM_BANDS) for start in range(NUM_BANDS)]
    places = [
        NUM_BITS - 1 - place
        for number, band in enumerate(bands)
        for place in draw.choice(band, 1 if number == spare else 2, replace=False).tolist()
    ]
    first = int.from_bytes(draw.bytes(NUM_BITS // 8))
    assert len(places) == MAX_DISTANCE
    assert search([first, flip(first, places)]) == [[0, 1]]


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
