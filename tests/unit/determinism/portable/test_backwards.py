"""Operations of users' models, forward and backward, against float64 autograd."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cxr.determinism.portable.mode import portable_arithmetic
from cxr.errors import DeterminismError
from support import backward_cases
from support.backward_cases import CASES, SHAPE, SLOPES, differentiate, digest_cases
from support.fixed_numbers import draw_fixed

# Another value is another arithmetic: raise ARITHMETIC_VERSION with it.
GOLDEN = "0f791aecb1ecd460272dcd19a9b1b4b3cc095f681cc2aa7f04deda5f454a6bb9"

PROCESSES = [
    {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1"},
    {"ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "3"},
]


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_float64(name: str):
    x = draw_fixed(*SHAPE, seed=2)
    with portable_arithmetic("a test"):
        found = differentiate(CASES[name], x)
    for mine, exact in zip(found, differentiate(CASES[name], x.double()), strict=True):
        # A sum of at most 9 terms of one size, or a function within 1 ulp.
        bound = 2.0**-21 * exact.abs() + 2.0**-21 * exact.abs().mean()
        assert mine.dtype == torch.float32
        assert ((mine.double() - exact).abs() <= bound).all()
        assert exact.abs().max() > 0


def test_the_gradient_of_learnt_slopes_is_that_of_float64():
    x = draw_fixed(*SHAPE, seed=2)
    with portable_arithmetic("a test"):
        _, found = differentiate(lambda slopes: functional.prelu(x, slopes), SLOPES)
    _, exact = differentiate(lambda slopes: functional.prelu(x.double(), slopes), SLOPES.double())
    assert ((found.double() - exact).abs() <= 2.0**-19 * exact.abs().mean()).all()


@pytest.mark.parametrize(
    ("compute", "op"),
    [
        (lambda x: functional.pad(x, (-1, 2, 0, 0), mode="reflect"), "reflection_pad2d_backward"),
        (lambda x: x.cumsum(1), "cumsum"),
        (lambda x: x.sort(1)[0], "sort"),
        (lambda x: x.prod(1), "cumprod"),
        (lambda x: functional.interpolate(x, scale_factor=2), "upsample_nearest2d"),
    ],
)
def test_what_is_not_built_is_refused_by_name(compute: Callable[[Tensor], Tensor], op: str):
    with pytest.raises(DeterminismError, match=op), portable_arithmetic("a test"):
        differentiate(compute, draw_fixed(*SHAPE))


def test_the_bits_are_those_of_this_version():
    with portable_arithmetic("a test"):
        assert digest_cases() == GOLDEN


def test_processes_of_other_instruction_sets_and_threads_give_the_same_bits():
    tests = str(Path(backward_cases.__file__).parents[1])
    native = {digest_cases()}
    for variables in PROCESSES:
        printed = subprocess.run(
            [sys.executable, "-m", "support.backward_cases"],
            env={**os.environ, **variables, "PYTHONPATH": tests},
            capture_output=True,
            text=True,
            check=True,
        )
        portable, control = printed.stdout.split()
        assert portable == GOLDEN
        native.add(control)
    if torch.backends.cpu.get_cpu_capability() != "DEFAULT":
        # What is varied does vary: torch's own operations show it.
        assert len(native) > 1
