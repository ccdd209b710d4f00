"""Normalisation against torch's own in float64, and what it promises and refuses."""

from __future__ import annotations

import math

import pytest
import torch

from cxr.determinism.portable.errors import NotFiniteError, UnsupportedError
from cxr.determinism.portable.layers.batch_normalisation import differentiate_normalise, normalise
from cxr.determinism.portable.layers.normalisation import (
    differentiate_group,
    differentiate_layer,
    normalise_group,
    normalise_layer,
)
from cxr.determinism.portable.trees.standardisation import find_moments
from support.fixed_numbers import draw_fixed as draw

ALL = [True, True, True]
SHAPES = [(4, 6, 9, 7), (3, 5), (2, 4, 11), (1, 3, 2, 2), (2, 3, 4, 3, 2), (33, 2, 1, 1)]
UNIT = 2.0**-24


def spread_out(shape):
    """Return values whose channels lie far apart in size, with a spike in one of them."""
    powers = 2.0 ** (torch.arange(shape[1]) % 5 * 6 - 12)
    x = draw(*shape) * powers.view(1, -1, *[1] * (len(shape) - 2))
    x.view(-1)[0] *= 100.0
    return x


def to_double(values):
    return [value.double() if isinstance(value, torch.Tensor) else value for value in values]


def find_sizes(gradient, x, rstd, weight, dims):
    """Return how large the terms of a unit's result and gradients get: 2 |x| r, and g r w of it."""
    reach = 2.0 * x.double().abs().amax(dims, keepdim=True) * rstd
    slope = (gradient.double() * weight).abs().amax(dims, keepdim=True) * rstd
    return reach, slope * (1.0 + reach)


def assert_within(mine, reference, bound):
    assert mine.shape == reference.shape
    assert ((mine.double() - reference).abs() <= bound).all()


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("shape", [(8, 3, 20, 20), (1, 4, 3, 3), (2, 5)])
def test_moments_are_within_their_bounds(shape, offset):
    x = draw(*shape) + offset
    dims = [0, *range(2, len(shape))]
    mean, squares, count = find_moments(x, dims, "test")
    exact_mean = x.double().mean(dims, keepdim=True)
    exact = (x.double() - exact_mean).square().sum(dims, keepdim=True)
    moved = 4 * UNIT * x.double().abs().mean(dims, keepdim=True)
    assert_within(mean, exact_mean, moved)
    assert_within(squares, exact, 8 * UNIT * exact + count * (1.25 * moved) ** 2)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_batch_normalisation_is_within_its_bounds(shape, affine, training):
    x, gradient = spread_out(shape), draw(*shape, seed=1)
    weight, bias = (draw(shape[1], seed=seed) if affine else None for seed in (2, 3))
    running = [draw(shape[1], seed=4), draw(shape[1], seed=5).abs() + 0.5]
    dims = [0, *range(2, len(shape))]
    operands = (x, weight, bias, *running)
    mine = normalise(*[None if t is None else t.clone() for t in operands], training, 0.25, 1e-3)
    exact = torch.native_batch_norm(*to_double(operands), training, 0.25, 1e-3)
    if training:
        mean, rstd = exact[1].float(), exact[2].float()
    else:
        mean, rstd = None, (running[1].double() + 1e-3).rsqrt()
        x_size = (x.double().abs().amax(dims) + running[0].abs()) * rstd

    factor = torch.ones(shape[1]) if weight is None else weight
    spread = [1, -1, *[1] * (len(shape) - 2)]
    reach, slope = find_sizes(gradient, x, rstd.view(spread), factor.view(spread), dims)
    if not training:
        reach = x_size.view(spread)
    shift = 0.0 if bias is None else bias.double().abs().view(spread)
    assert_within(
        mine[0], exact[0], 16 * UNIT * (reach * factor.double().abs().view(spread) + shift)
    )

    saved = [mean, rstd.float() if training else None]
    backward = (weight, *running, *saved, training, 1e-3, ALL)
    gradients = differentiate_normalise(gradient, x, *backward)
    references = torch.ops.aten.native_batch_norm_backward(
        *to_double((gradient, x, *backward[:5])), *backward[5:]
    )
    assert_within(gradients[0], references[0], 16 * UNIT * slope)
    terms = gradient.double().abs().sum(dims)
    assert_within(gradients[1], references[1], 16 * UNIT * terms * (1.0 + reach.flatten()))
    assert_within(gradients[2], references[2], 5 * UNIT * terms)


@pytest.mark.parametrize("momentum", [0.1, 1.0, 0.0])
def test_running_averages_take_one_step(momentum):
    x = draw(5, 3, 4, 4)
    running = [draw(3, seed=1), draw(3, seed=2).abs()]
    mine, exact = [r.clone() for r in running], to_double(running)
    normalise(x, None, None, *mine, True, momentum, 1e-5)
    torch.native_batch_norm(x.double(), None, None, *exact, True, momentum, 1e-5)
    for new, reference in zip(mine, exact, strict=True):
        torch.testing.assert_close(new, reference.float(), rtol=8 * UNIT, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 5, 6), (1, 1), (2, 3, 4, 33), (1, 196, 192)])
@pytest.mark.parametrize("num_last", [1, 2])
@pytest.mark.parametrize("affine", [True, False])
def test_layer_normalisation_is_within_its_bounds(shape, num_last, affine):
    x, gradient = draw(*shape), draw(*shape, seed=1)
    last = list(shape[-num_last:])
    dims = list(range(-num_last, 0))
    weight, bias = (draw(*last, seed=seed) if affine else None for seed in (2, 3))
    mine = normalise_layer(x, last, weight, bias, 1e-3)
    exact = torch.native_layer_norm(*to_double((x, last, weight, bias)), 1e-3)
    factor = torch.ones(last) if weight is None else weight
    reach, slope = find_sizes(gradient, x, exact[2], factor, dims)
    shift = 0.0 if bias is None else bias.double().abs()
    assert_within(mine[0], exact[0], 16 * UNIT * (reach * factor.double().abs() + shift))
    assert_within(mine[1], exact[1], 5 * UNIT * x.double().abs().amax(dims, keepdim=True))

    moments = [moment.float() for moment in exact[1:]]
    wanted = [True, affine, affine]
    gradients = differentiate_layer(gradient, x, last, *moments, weight, bias, wanted)
    references = torch.ops.aten.native_layer_norm_backward(
        *to_double((gradient, x)), last, *to_double((*moments, weight, bias)), wanted
    )
    assert_within(gradients[0], references[0], 16 * UNIT * slope)
    if affine:
        samples = list(range(len(shape) - num_last))
        terms = gradient.double().abs()
        bound = 16 * UNIT * (terms * (1.0 + reach)).sum(samples)
        assert_within(gradients[1], references[1], bound)
        assert_within(gradients[2], references[2], 5 * UNIT * terms.sum(samples))


@pytest.mark.parametrize("group", [1, 2, 6])
@pytest.mark.parametrize("affine", [True, False])
def test_group_normalisation_is_within_its_bounds(group, affine):
    x, gradient = draw(3, 6, 5, 7), draw(3, 6, 5, 7, seed=1)
    weight, bias = (draw(6, seed=seed) if affine else None for seed in (2, 3))
    sizes = (3, 6, 35, group)
    mine = normalise_group(x, weight, bias, *sizes, 1e-3)
    exact = torch.native_group_norm(*to_double((x, weight, bias)), *sizes, 1e-3)
    rstd = exact[2].repeat_interleave(6 // group, 1).view(3, 6, 1, 1)
    factor = (torch.ones(6) if weight is None else weight).view(1, 6, 1, 1)
    reach, slope = find_sizes(gradient, x, rstd.amax(1, keepdim=True), factor, [1, 2, 3])
    shift = 0.0 if bias is None else bias.double().abs().view(1, 6, 1, 1)
    assert_within(mine[0], exact[0], 16 * UNIT * (reach * factor.double().abs() + shift))

    moments = [moment.float() for moment in exact[1:]]
    wanted = [True, affine, affine]
    gradients = differentiate_group(gradient, x, *moments, weight, *sizes, wanted)
    references = torch.ops.aten.native_group_norm_backward(
        *to_double((gradient, x, *moments, weight)), *sizes, wanted
    )
    assert_within(gradients[0], references[0], 16 * UNIT * slope)
    if affine:
        terms = gradient.double().abs()
        bound = 16 * UNIT * (terms * (1.0 + reach)).sum([0, 2, 3])
        assert_within(gradients[1], references[1], bound)
        assert_within(gradients[2], references[2], 5 * UNIT * terms.sum([0, 2, 3]))


EVALUATIONS = {
    "batch": lambda x: normalise(
        x, draw(4), draw(4, seed=1), draw(4, seed=2), draw(4).abs() + 1, False, 0.1, 1e-5
    ),
    "layer": lambda x: normalise_layer(x, [6], draw(6), draw(6, seed=1), 1e-5),
    "group": lambda x: normalise_group(x, draw(4), draw(4), len(x), 4, 30, 2, 1e-5),
}


@pytest.mark.parametrize("kind", EVALUATIONS)
def test_the_batch_changes_no_bit_of_an_evaluation(kind):
    x = draw(33, 4, 5, 6)
    x[7] *= 2.0**40
    whole = EVALUATIONS[kind](x)[0]
    parts = [EVALUATIONS[kind](part)[0] for size in (1, 7) for part in x.split(size)]
    assert torch.equal(torch.cat(parts), torch.cat([whole, whole]))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_refused(value):
    x, spoiled = draw(3, 4, 5), draw(3, 4, 5)
    spoiled[1, 2, 3] = value
    moments = torch.zeros(4), torch.ones(4)
    calls = [
        lambda: normalise(spoiled, None, None, None, None, True, 0.1, 1e-5),
        lambda: normalise_layer(spoiled, [5], None, None, 1e-5),
        lambda: normalise_group(spoiled, None, None, 3, 4, 5, 2, 1e-5),
        lambda: differentiate_normalise(
            spoiled, x, None, None, None, *moments, True, 1e-5, [True, False, False]
        ),
        lambda: differentiate_layer(
            spoiled, x, [5], x[..., :1], x[..., :1], None, None, [False, False, True]
        ),
    ]
    for call in calls:
        with pytest.raises(NotFiniteError):
            call()


def test_what_has_no_portable_form_is_refused():
    x = draw(1, 4)
    averages = torch.zeros(4), torch.ones(4)
    with pytest.raises(UnsupportedError, match="one value a channel"):
        normalise(x, None, None, *averages, True, 0.1, 1e-5)
    with pytest.raises(UnsupportedError, match="bfloat16"):
        normalise_layer(x.bfloat16(), [4], None, None, 1e-5)
    with pytest.raises(UnsupportedError, match="not there"):
        normalise(x, None, None, None, None, False, 0.1, 1e-5)
    with pytest.raises(NotFiniteError):
        normalise_layer(torch.ones(2, 3), [3], None, None, 0.0)


def test_no_samples_give_empty_results():
    out, mean, rstd = normalise_layer(torch.zeros(0, 3), [3], None, None, 1e-5)
    assert out.shape == (0, 3)
    assert mean.shape == rstd.shape == (0, 1)
    averages = torch.zeros(4), torch.ones(4)
    assert normalise(torch.zeros(0, 4, 2), None, None, *averages, False, 0.1, 1e-5)[0].numel() == 0
    with pytest.raises(NotFiniteError):
        normalise_layer(torch.zeros(3, 0), [0], None, None, 1e-5)
