from __future__ import annotations

import numpy as np
import pytest

from cxr.data.checks import near_search
from cxr.data.checks.near_search import MAX_DISTANCE, NUM_BANDS, find_close_pairs
from cxr.data.inspection.likeness import NUM_BITS


def flip(likeness, places):
    for place in places:
        likeness ^= 1 << place
    return likeness


def try_all_pairs(likenesses):
    """The oracle: every pair, compared in plain Python."""
    return [
        (low, high, distance)
        for high in range(len(likenesses))
        for low in range(high)
        if (distance := (likenesses[low] ^ likenesses[high]).bit_count()) <= MAX_DISTANCE
    ]


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
    wanted = sorted(try_all_pairs(likenesses))
    assert {0, 27} <= {distance for _, _, distance in wanted}
    assert find_close_pairs(likenesses) == wanted


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
    assert find_close_pairs([first, flip(first, places)]) == [(0, 1, MAX_DISTANCE)]


@pytest.mark.parametrize("likenesses", [[], [5]])
def test_fewer_than_two_hashes_have_no_pairs(likenesses):
    assert find_close_pairs(likenesses) == []
