from __future__ import annotations

import warnings
from collections import Counter

import pytest
import torch

from cxr.determinism.arithmetic import arithmetic, name_nondeterministic_op
from cxr.determinism.levels import Level
from cxr.errors import DeterminismError


@pytest.fixture
def choose_algorithms():
    """Switch torch's check for deterministic algorithms, and switch it back."""
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    yield lambda level: torch.use_deterministic_algorithms(mode=True, warn_only=level is Level.WARN)
    torch.use_deterministic_algorithms(mode=before[0], warn_only=before[1])


def call_put_and_fail(ops):
    with arithmetic(Level.WARN, slices=1, ops_without_kernel=ops, where="step 0"):
        call_put()
        _ = 1 / 0


def call_put():
    """Call an op that has no deterministic kernel on any device."""
    torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))


def test_every_call_without_a_kernel_is_counted_under_warn(choose_algorithms):
    choose_algorithms(Level.WARN)
    ops = Counter({"put_": 1})
    with arithmetic(Level.WARN, slices=1, ops_without_kernel=ops, where="step 0"):
        for _ in range(3):
            call_put()
    assert ops == {"put_": 4}


def test_calls_before_a_failure_are_counted(choose_algorithms):
    choose_algorithms(Level.WARN)
    ops = Counter()
    with pytest.raises(ZeroDivisionError):
        call_put_and_fail(ops)
    assert ops == {"put_": 1}


def test_an_op_without_a_kernel_is_a_named_error_under_strict(choose_algorithms):
    choose_algorithms(Level.STRICT)
    ops = Counter()
    with (
        pytest.raises(
            DeterminismError, match=r"^put_ has no deterministic implementation"
        ) as caught,
        arithmetic(Level.STRICT, slices=1, ops_without_kernel=ops, where="step 12"),
    ):
        call_put()
    assert caught.value.where == "step 12"
    assert not ops


@pytest.mark.parametrize("level", [Level.WARN, Level.STRICT])
def test_other_errors_pass_through(level):
    with (
        pytest.raises(RuntimeError, match="size of tensor"),
        arithmetic(level, slices=1, ops_without_kernel=Counter(), where="step 0"),
    ):
        torch.zeros(2) + torch.zeros(3)


def test_other_warnings_are_shown_once_the_block_ends():
    ops = Counter()
    with (
        pytest.warns(UserWarning, match="something else"),
        arithmetic(Level.WARN, slices=1, ops_without_kernel=ops, where="step 0"),
    ):
        warnings.warn("something else", UserWarning, stacklevel=1)
    assert not ops


@pytest.mark.parametrize(
    ("message", "op"),
    [
        ("put_ does not have a deterministic implementation, but you set 'torch.use_", "put_"),
        ("Deterministic behavior was enabled with either `torch.use_\n CuBLAS", "cuBLAS"),
        ("CUDA out of memory", None),
        ("an op does not have a deterministic implementation", None),
    ],
)
def test_ops_are_named_from_torchs_messages(message, op):
    assert name_nondeterministic_op(message) == op
