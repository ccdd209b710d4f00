from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cxr.determinism.portable import optimizers
from cxr.determinism.portable.elementary.scalars import round_to_float32
from cxr.determinism.portable.optimizers import PortableAdamW, PortableSGD
from cxr.determinism.streams import derive_stream

STEPS = 6
SGD = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}
ADAMW = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.01}


def draw(*shape, seed=0):
    """Return float32 values of both signs and of magnitudes from 2^-40 to 1."""
    blocks = derive_stream(seed, "synthetic", "optimizers").uint64_array(math.prod(shape))
    values = (blocks >> np.uint64(32)).astype(np.int32).astype(np.float64)
    values = np.ldexp(values, -31 - (blocks & np.uint64(31)).astype(np.int32))
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def run(make, shapes, steps=STEPS, like=lambda x: x):
    parameters = [torch.nn.Parameter(like(draw(*shape, seed=1))) for shape in shapes]
    optimizer = make(parameters)
    for step in range(steps):
        for number, parameter in enumerate(parameters):
            parameter.grad = like(draw(*parameter.shape, seed=100 * step + number + 2))
        optimizer.step()
    return parameters, optimizer


def take_sgd_steps(values, gradients, *, lr, momentum, nesterov, weight_decay):
    """Return SGD's result by NumPy, each operation rounded to float32."""
    lr, momentum, weight_decay = map(np.float32, (lr, momentum, weight_decay))
    buffer = None
    for gradient in gradients:
        move = gradient + values * weight_decay
        buffer = move if buffer is None else buffer * momentum + move
        move = move + buffer * momentum if nesterov else buffer
        values = values - move * lr
    return values


def take_adamw_steps(values, gradients, *, lr, betas, eps, weight_decay):
    """Return AdamW's result by NumPy, each operation rounded to float32."""
    average, squares = np.zeros_like(values), np.zeros_like(values)
    power1 = power2 = 1.0
    for gradient in gradients:
        power1, power2 = power1 * betas[0], power2 * betas[1]
        average = average + (gradient - average) * np.float32(1 - betas[0])
        squares = squares * np.float32(betas[1]) + gradient * gradient * np.float32(1 - betas[1])
        root = np.sqrt(squares) / np.float32(math.sqrt(1 - power2)) + np.float32(eps)
        step = average / root * np.float32(lr / (1 - power1))
        values = values * np.float32(1 - lr * weight_decay) - step
    return values


def take_bits(values):
    return np.asarray(values).view(np.int32).tolist()


@pytest.mark.parametrize("nesterov", [True, False])
def test_sgd_is_one_rounded_operation_after_the_other(nesterov):
    options = SGD | {"nesterov": nesterov}
    [found], _ = run(lambda p: PortableSGD(p, **options), [(3001,)])
    gradients = [draw(3001, seed=100 * step + 2).numpy() for step in range(STEPS)]
    expected = take_sgd_steps(draw(3001, seed=1).numpy(), gradients, **options)
    assert take_bits(found.detach()) == take_bits(expected)


def test_adamw_is_one_rounded_operation_after_the_other():
    # In two steps the powers of the betas are one product: their order cannot matter.
    [found], _ = run(lambda p: PortableAdamW(p, **ADAMW), [(3001,)], steps=2)
    gradients = [draw(3001, seed=100 * step + 2).numpy() for step in range(2)]
    expected = take_adamw_steps(draw(3001, seed=1).numpy(), gradients, **ADAMW)
    assert take_bits(found.detach()) == take_bits(expected)


@pytest.mark.parametrize(
    ("portable", "native", "options"),
    [
        (PortableSGD, torch.optim.SGD, SGD),
        (PortableSGD, torch.optim.SGD, SGD | {"nesterov": False}),
        (PortableSGD, torch.optim.SGD, {"lr": 0.1}),
        (PortableAdamW, torch.optim.AdamW, ADAMW),
        (PortableAdamW, torch.optim.AdamW, ADAMW | {"weight_decay": 0.0}),
    ],
)
def test_torch_s_own_give_nearly_the_same(portable, native, options):
    shapes = [(40, 9), (7,), (1,), (0, 3)]
    found, ours = run(lambda p: portable(p, **options), shapes)
    expected, theirs = run(lambda p: native(p, foreach=False, **options), shapes)
    for mine, other in zip(found, expected, strict=True):
        # What is moved is at most 1, and each step adds an error or two of its rounding.
        assert (mine - other).abs().sum() <= 4e-7 * STEPS * max(1, mine.numel())
        assert ours.state[mine].keys() == {
            name for name, value in theirs.state[other].items() if value is not None
        }
        for name, value in ours.state[mine].items():
            assert value.shape == theirs.state[other][name].shape
            assert torch.allclose(value, theirs.state[other][name], rtol=1e-5, atol=1e-7)


MAKERS = {
    "sgd": lambda p: PortableSGD(p, **SGD),
    "adamw": lambda p: PortableAdamW(p, **ADAMW),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_layout_and_blocks_change_no_bit(maker, monkeypatch):
    def find(like):
        [found], _ = run(MAKERS[maker], [(6, 4, 5, 5)], like=like)
        return found.detach()

    whole = find(lambda x: x)
    assert torch.equal(find(lambda x: x.contiguous(memory_format=torch.channels_last)), whole)
    monkeypatch.setattr(optimizers, "BLOCK", 64)
    assert torch.equal(find(lambda x: x), whole)


@pytest.mark.parametrize("maker", MAKERS)
def test_gradients_may_be_laid_out_otherwise_than_parameters(maker, monkeypatch):
    monkeypatch.setattr(optimizers, "BLOCK", 16)
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        parameter = torch.nn.Parameter(draw(2, 3, 4, 5))
        optimizer = MAKERS[maker]([parameter])
        for step in range(3):
            parameter.grad = draw(2, 3, 4, 5, seed=step).contiguous(memory_format=layout)
            optimizer.step()
        results.append(parameter.detach())
    assert torch.equal(*results)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_scalar_and_one_without_gradient(maker):
    moved, left = torch.nn.Parameter(torch.tensor(2.0)), torch.nn.Parameter(torch.ones(3))
    moved.grad = torch.tensor(0.5)
    MAKERS[maker]([moved, left]).step()
    assert moved < 2
    assert torch.equal(left, torch.ones(3))


@pytest.mark.parametrize("maker", MAKERS)
def test_its_state_can_be_kept_and_put_back(maker):
    [whole], _ = run(MAKERS[maker], [(50,)], steps=2)
    [parameter], optimizer = run(MAKERS[maker], [(50,)], steps=1)
    again = torch.nn.Parameter(parameter.detach().clone())
    other = MAKERS[maker]([again])
    other.load_state_dict(optimizer.state_dict())
    again.grad = draw(50, seed=102)
    other.step()
    assert torch.equal(again, whole)


def test_square_roots_are_correctly_rounded():
    # Next to where roots change from one float32 to another, from subnormal to huge.
    roots = draw(20_000, seed=9).abs().double()
    middles = (roots.float().view(torch.int32) | 1).view(torch.float32).double() * (1 + 2**-25)
    values = torch.cat([(middles * middles).float(), torch.tensor([0.0, 1e-45, 3e38, torch.inf])])
    found = optimizers._take_root(values).numpy()
    assert take_bits(found) == take_bits(np.sqrt(values.numpy()))


def test_numbers_are_rounded_half_to_even():
    assert round_to_float32(1 + 2**-24) == 1
    assert round_to_float32(1 + 3 * 2**-24) == 1 + 2**-22
    assert round_to_float32(-0.1) == -np.float32(0.1)
    with pytest.raises(OverflowError):
        round_to_float32(1e39)


def test_a_closure_is_refused():
    with pytest.raises(TypeError, match="gradients that are there"):
        PortableSGD([torch.ones(1)], lr=0.1).step(lambda: 0.0)
