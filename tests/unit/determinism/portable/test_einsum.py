from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from cxr.determinism.portable.mode import portable_arithmetic
from support.fixed_numbers import draw_float32

FACTORS = [draw_float32(shape, stream) for stream, shape in enumerate([(3, 40), (40, 30), (30, 5)])]
EQUATION = "ij,jk,kl->il"


@pytest.fixture
def asked(monkeypatch):
    """What ``opt_einsum`` is asked, planted where torch looks: it multiplies the last two first."""
    equations = []

    def contract_path(equation, *_, **__):
        equations.append(equation)
        return [(1, 2), (0, 1)], None

    switch = torch.backends.opt_einsum
    for name, value in {
        "get_opt_einsum": lambda: SimpleNamespace(contract_path=contract_path),
        "is_available": lambda: True,
        "enabled": True,
    }.items():
        monkeypatch.setattr(switch, name, value)
    return equations


def multiply_portably(multiply):
    with portable_arithmetic("a test"):
        return multiply()


@pytest.mark.parametrize(
    "multiply",
    [
        lambda: torch.einsum(EQUATION, *FACTORS),
        lambda: torch.einsum(EQUATION, FACTORS),
        lambda: torch.einsum(FACTORS[0], [0, 1], FACTORS[1], [1, 2], FACTORS[2], [2, 3], [0, 3]),
    ],
)
def test_three_factors_are_multiplied_from_the_left_whatever_is_installed(asked, multiply):
    found = multiply_portably(multiply)
    assert asked == []
    first, second, third = FACTORS
    assert torch.equal(found, multiply_portably(lambda: first @ second @ third))
    # Otherwise the test would show nothing.
    assert not torch.equal(found, multiply_portably(lambda: first @ (second @ third)))
    multiply()
    assert len(asked) == 1


def test_gradients_and_single_factors(asked):
    leaves = [one.clone().requires_grad_() for one in FACTORS]
    with portable_arithmetic("a test"):
        torch.einsum(EQUATION, *leaves).sum().backward()
        diagonal = torch.einsum("ii->i", FACTORS[0][:, :3])
    wide = [one.double().requires_grad_() for one in FACTORS]
    (wide[0] @ wide[1] @ wide[2]).sum().backward()
    assert torch.equal(diagonal, FACTORS[0][:, :3].diagonal())
    for found, exact in zip(leaves, wide, strict=True):
        assert torch.allclose(found.grad.double(), exact.grad, rtol=0, atol=1e-3)
    assert asked == []
