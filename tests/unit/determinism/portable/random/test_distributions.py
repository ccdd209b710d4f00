from __future__ import annotations

import math
from statistics import NormalDist

import pytest
import torch

from cxr.determinism.portable.elementary.scalars import round_to_float32
from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.random import distributions, random_words
from cxr.determinism.portable.random.drawing import drawing
from cxr.determinism.portable.random.random_numbers import REPLACED, native_dropout
from cxr.determinism.streams import derive_stream

KEY = (7, "draw", 3)
LAST_WORD = 2**32 - 1

DRAWS = {
    "uniform": lambda drawn: distributions.uniform_(drawn, -0.3, 0.7),
    "normal": lambda drawn: distributions.normal_(drawn, 0.5, 2.0),
    "bernoulli": lambda drawn: distributions.bernoulli_(drawn, 0.3),
    "each": lambda drawn: distributions.bernoulli_each_(drawn, torch.full(drawn.shape, 0.3)),
    "integers": lambda drawn: distributions.integers_(drawn, -5, 1000),
}


def draw(kind, drawn):
    with drawing(*KEY):
        return DRAWS[kind](drawn)


def take_blocks(num):
    """Return the first blocks of the first draw, from the generator for Python's integers."""
    stream = derive_stream(*KEY, 0)
    return [stream.uint64() for _ in range(num)]


def take_words(num):
    return [word for block in take_blocks((num + 1) // 2) for word in (block % 2**32, block >> 32)][
        :num
    ]


@pytest.fixture
def given_words(monkeypatch):
    """Let a test say which words are drawn."""

    def give(*words):
        given = torch.tensor(words)
        monkeypatch.setattr(random_words, "take_words", lambda _, start, n: given[start:][:n])
        return torch.empty(len(words))

    return give


def test_words_are_those_of_the_stream():
    words = torch.tensor(take_words(101), dtype=torch.float64)
    expected = ((words + 0.5) * 2.0**-32).float()
    with drawing(*KEY):
        assert torch.equal(distributions.uniform_(torch.empty(101)), expected)


def test_normal_numbers_are_the_quantiles_of_the_words():
    found = draw("normal", torch.empty(3000))
    oracle = NormalDist(0.5, 2.0)
    expected = torch.tensor([oracle.inv_cdf((word + 0.5) * 2.0**-32) for word in take_words(3000)])
    off_by_ulps = (found.view(torch.int32) - expected.view(torch.int32)).abs()
    # The oracle is a float64 that is rounded a second time.
    assert off_by_ulps.max() <= 1
    assert (off_by_ulps > 0).sum() <= 1


def test_the_ends_of_the_normal_distribution(given_words):
    found = distributions.normal_
    words = (0, 1, 2**31 - 1, 2**31, LAST_WORD)
    drawn = given_words(*words)
    with drawing(*KEY):
        found(drawn)
    expected = [NormalDist().inv_cdf((word + 0.5) * 2.0**-32) for word in words]
    assert drawn.tolist() == pytest.approx(expected, rel=1e-6)
    assert drawn[0] == -drawn[-1]
    assert drawn[0] < -6.2


@pytest.mark.parametrize("kind", DRAWS)
def test_layout_and_pieces_change_no_bit(kind, monkeypatch):
    shape = (3, 5, 8, 11)
    whole = draw(kind, torch.empty(shape))
    assert len(whole.unique()) > 1
    last = torch.empty(shape, memory_format=torch.channels_last)
    assert torch.equal(draw(kind, last), whole)
    assert torch.equal(draw(kind, torch.empty(11, 8, 5, 3).permute(3, 2, 1, 0)), whole)
    assert torch.equal(draw(kind, torch.empty(*shape, 2)[..., 0]), whole)
    monkeypatch.setattr(random_words, "PIECE", 64)
    assert torch.equal(draw(kind, torch.empty(shape)), whole)


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1,)])
def test_shapes_of_one_element_or_none(kind, shape):
    found = draw(kind, torch.full(shape, torch.nan))
    assert found.shape == shape
    assert found.isfinite().all()


def test_draws_of_a_block_differ_and_can_be_repeated():
    with drawing(*KEY):
        first, second = (distributions.uniform_(torch.empty(50)) for _ in range(2))
    with drawing(*KEY):
        again = distributions.uniform_(torch.empty(50))
    with drawing(7, "draw", 4):
        other = distributions.uniform_(torch.empty(50))
    assert torch.equal(first, again)
    assert not set(first.tolist()) & set(second.tolist())
    assert not set(first.tolist()) & set(other.tolist())


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (1e-30, 3e38), (-2.0, -1.0)])
def test_uniform_numbers_never_are_their_bounds(given_words, low, high):
    drawn = given_words(0, LAST_WORD)
    with drawing(*KEY):
        distributions.uniform_(drawn, low, high)
    bounds = torch.tensor([low, high])
    assert bounds[0] < drawn[0] < drawn[1] < bounds[1]


def test_uniform_numbers_between_close_or_equal_bounds():
    for end in (1.5, math.nextafter(1.5, 2), 1.5 + 2**-23):
        with drawing(*KEY):
            assert set(distributions.uniform_(torch.empty(9), 1.5, end).tolist()) == {1.5}


def test_erfinv_of_what_is_drawn_is_finite(given_words):
    drawn = given_words(0, 1, LAST_WORD)
    with drawing(*KEY):
        assert distributions.uniform_(drawn, -1, 1).erfinv().isfinite().all()


def test_what_float32_does_not_tell_apart_gives_the_same_numbers():
    # The last bit of a float64 may be the platform's; this is 2^26 of them.
    value = round_to_float32(math.sqrt(0.02))
    other = value * (1 + 2**-26)

    def draw_with(number):
        with drawing(*KEY):
            normal = distributions.normal_(torch.empty(999), number, number)
            return torch.stack([normal, distributions.uniform_(torch.empty(999), -number, number)])

    assert other != value
    assert torch.equal(draw_with(value), draw_with(other))


def test_a_probability_is_compared_to_all_32_bits(given_words):
    for least in (1, 2**24 + 1, LAST_WORD):
        drawn = given_words(least - 1, least)
        with drawing(*KEY):
            assert distributions.bernoulli_(drawn, least / 2**32).tolist() == [1, 0]
            probabilities = torch.full((2,), least / 2**32, dtype=torch.float64)
            assert distributions.bernoulli_each_(drawn, probabilities).tolist() == [1, 0]


def test_nothing_is_drawn_with_probability_0_and_all_with_1(given_words):
    drawn = given_words(0, LAST_WORD)
    with drawing(*KEY):
        assert distributions.bernoulli_(drawn, 0.0).tolist() == [0, 0]
        assert distributions.bernoulli_(drawn, 1.0).tolist() == [1, 1]


def test_each_element_may_have_a_probability_of_its_own():
    with drawing(*KEY):
        probabilities = torch.tensor([[0.0], [1.0], [0.5]]).expand(3, 400)
        shares = distributions.bernoulli_each_(torch.empty(3, 400), probabilities).mean(1)
    assert shares[:2].tolist() == [0, 1]
    assert 0.4 < shares[2] < 0.6


def test_shares_are_as_they_should_be():
    num = 2**16
    for kind, mean, variance in (
        ("uniform", 0.2, 1 / 12),
        ("normal", 0.5, 4.0),
        ("bernoulli", 0.3, 0.21),
        ("integers", 497.0, (1005**2 - 1) / 12),
    ):
        values = draw(kind, torch.empty(num)).double()
        assert abs(values.mean() - mean) < 4 * math.sqrt(variance / num)
        assert values.var() == pytest.approx(variance, rel=0.03)
    bins = torch.bincount((draw("uniform", torch.empty(num)) + 0.3).mul(16).long(), minlength=16)
    expected = num / 16
    # The 99.9 % quantile of chi-square with 15 degrees of freedom.
    assert ((bins - expected) ** 2 / expected).sum() < 37.7


def test_permutations_are_those_of_the_stream():
    for num in (0, 1, 2, 1000):
        with drawing(*KEY):
            found = distributions.permute(num)
        assert found.tolist() == derive_stream(*KEY, 0).permutation(num).tolist()


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 7), (0, 2**31 - 1), (2**40, 2**40 + 12345)])
def test_whole_numbers_are_products_of_blocks(low, high):
    with drawing(*KEY):
        found = distributions.integers_(torch.empty(200, dtype=torch.int64), low, high)
    assert found.tolist() == [low + ((high - low) * block >> 64) for block in take_blocks(200)]


def test_dropout_scales_what_it_keeps():
    values = torch.arange(1.0, 1001.0).view(10, 100)
    with drawing(*KEY):
        found, kept = native_dropout(values, 0.25, train=True)
    assert kept.dtype == torch.bool
    assert torch.equal(found, torch.where(kept, values * (1 / 0.75), 0.0))
    assert 0.7 < kept.float().mean() < 0.8
    backward = REPLACED["aten.native_dropout_backward.default"]
    assert torch.equal(backward(values, kept, 1 / 0.75), found)
    with drawing(*KEY):
        assert not native_dropout(values, 1.0, train=True)[0].any()
    assert torch.equal(native_dropout(values, 0.25, train=False)[0], values)


def test_draws_that_cannot_be_told_apart_are_refused():
    with pytest.raises(UnsupportedError, match="no stream"):
        distributions.uniform_(torch.empty(3))
    with pytest.raises(UnsupportedError, match="no stream"):
        distributions.permute(3)


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (lambda: distributions.normal_(torch.empty(3), generator=torch.Generator()), "generator"),
        (lambda: distributions.uniform_(torch.empty(3, dtype=torch.float64)), "float64"),
        (lambda: distributions.integers_(torch.empty(3), 0, 2**31), "2\\^31"),
        (lambda: REPLACED["aten.rand.default"]([3], device=torch.device("meta")), "meta"),
        (lambda: REPLACED["aten.randn.default"]([3], dtype=torch.float64), "float64"),
    ],
)
def test_what_has_no_portable_form_is_refused(refused, error):
    with drawing(*KEY), pytest.raises(UnsupportedError, match=error):
        refused()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: distributions.uniform_(torch.empty(3), 1, 0),
        lambda: distributions.uniform_(torch.empty(3), math.nan, 0),
        lambda: distributions.normal_(torch.empty(3), std=-1),
        lambda: distributions.bernoulli_(torch.empty(3), 1.5),
        lambda: distributions.bernoulli_each_(torch.empty(2), torch.tensor([0.5, math.nan])),
        lambda: distributions.integers_(torch.empty(3), 4, 4),
    ],
)
def test_bounds_that_make_no_sense_are_errors(wrong):
    with drawing(*KEY), pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        wrong()


def test_the_ops_have_aten_s_signatures():
    options = {"device": torch.device("cpu"), "pin_memory": False}
    like = torch.empty(2, 3, 4, 5).to(memory_format=torch.channels_last)
    with drawing(*KEY):
        assert REPLACED["aten.rand.default"]([2, 3], **options).shape == (2, 3)
        assert REPLACED["aten.randn.default"]([], **options).shape == ()
        found = REPLACED["aten.randn_like.default"](like, pin_memory=False)
        assert found.stride() == like.stride()
        assert REPLACED["aten.rand_like.default"](like).dtype == torch.float32
        assert REPLACED["aten.normal.float_float"](1.0, 0.0, [2], **options).tolist() == [1, 1]
        assert REPLACED["aten.randint.default"](5, [9], **options).max() < 5
        assert REPLACED["aten.randint.low"](3, 5, [9], **options).min() >= 3
        assert sorted(REPLACED["aten.randperm.default"](4, **options).tolist()) == [0, 1, 2, 3]
        assert set(REPLACED["aten.bernoulli.p"](like, 0.5).unique().tolist()) == {0, 1}
        assert REPLACED["aten.bernoulli.default"](torch.ones(3)).tolist() == [1, 1, 1]
