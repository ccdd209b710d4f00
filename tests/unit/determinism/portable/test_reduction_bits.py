"""The bits of sums, normalisation and pooling: one digest, in any layout and process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cxr.determinism.portable.layers import (
    batch_normalisation,
    pooling,
    pooling_windows,
    sample_normalisation,
)
from cxr.determinism.portable.trees import blocks, standardisation, sums
from support import reduction_cases
from support.reduction_cases import REPLACED, digest_cases, find_native, list_cases

# Another value is another arithmetic: raise ARITHMETIC_VERSION with it.
GOLDEN = "3204764818c01365e1985479c7ca10498f42747ebd4dd2ac4d4d11ad15a54411"

PROCESSES = [
    {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1", "MKL_CBWR": "COMPATIBLE"},
    {"ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "3", "ONEDNN_MAX_CPU_ISA": "SSE41"},
]


def channels_last(x):
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def every_second(x):
    return torch.stack([x, -x], dim=-1)[..., 0]


def reversed_order(x):
    order = list(range(x.ndim))[::-1]
    return x.permute(order).contiguous().permute(order)


def digest_portable(layout=torch.Tensor.contiguous, *, large=True):
    return digest_cases(REPLACED.__getitem__, layout, large=large)


@pytest.fixture(scope="module")
def small_digest():
    return digest_portable(large=False)


def test_every_operation_is_part_of_the_digest():
    assert {name for name, _, _ in list_cases(torch.Tensor.contiguous)} == set(REPLACED)


def test_the_bits_are_those_of_this_version():
    assert digest_portable() == GOLDEN


@pytest.mark.parametrize("layout", [channels_last, every_second, reversed_order])
def test_layouts_change_no_bit(layout):
    assert digest_portable(layout) == GOLDEN


@pytest.mark.parametrize("layout", [torch.Tensor.contiguous, channels_last])
def test_blocks_change_no_bit(monkeypatch, small_digest, layout):
    for module in (blocks, pooling):
        monkeypatch.setattr(module, "BLOCK_ELEMENTS", 100)
    assert digest_portable(layout, large=False) == small_digest


def test_processes_of_other_instruction_sets_and_threads_give_the_same_bits():
    native = {digest_cases(find_native)}
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    tests = str(Path(reduction_cases.__file__).parents[1])
    for variables in PROCESSES:
        printed = subprocess.run(
            [sys.executable, "-m", "support.reduction_cases"],
            env={**kept, **variables, "PYTHONPATH": tests},
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


def add_natively(x, dims, _levels, *, owned):
    del owned
    return x.sum(list(dims), keepdim=True)


def add_in_other_halves(x, dim, *, owned):
    del owned
    even, odd = x.unflatten(dim, (-1, 2)).unbind(dim + 1) if x.shape[dim] % 2 == 0 else (x, None)
    if odd is not None:
        return even + odd
    length = x.shape[dim]
    first = x.narrow(dim, 0, 1) + x.narrow(dim, length - 1, 1)
    return torch.cat([first, x.narrow(dim, 1, length - 2)], dim) if length > 2 else first


def standardise_fused(x, mean, factors, shift):
    out = x - mean
    for factor in factors[:-1]:
        out = out * factor
    return torch.addcmul(torch.zeros(()) if shift is None else shift, out, factors[-1])


def scale_first(gradient, x, mean, weight, *, slope, offset, scale):
    inner = gradient if weight is None else gradient * weight
    return inner * scale - ((x - mean) * (slope * scale) + offset * scale)


CLASSES = pooling._list_classes

FAULTS = {
    "a native sum": (sums, "_sum_along", add_natively),
    "another tree": (sums, "_halve", add_in_other_halves),
    "another number of float32 levels": (sums, "FLOAT32_LEVELS", 5),
    "a fused multiply-add": (batch_normalisation, "standardise", standardise_fused),
    "a fused multiply-add within samples": (sample_normalisation, "standardise", standardise_fused),
    "another order of products": (batch_normalisation, "differentiate", scale_first),
    "the same in samples": (sample_normalisation, "differentiate", scale_first),
    "a root in float32": (
        batch_normalisation,
        "rsqrt64",
        lambda x: torch.rsqrt(x.to(torch.float32)).to(torch.float64),
    ),
    "another order of windows": (
        pooling,
        "visit_offsets",
        lambda axes: reversed(list(pooling_windows.visit_offsets(axes))),
    ),
    "another order of classes": (pooling, "_list_classes", lambda steps: CLASSES(steps)[::-1]),
    "moments of the first half": (
        batch_normalisation,
        "find_moments",
        lambda x, dims, what: standardisation.find_moments(x[: (len(x) + 1) // 2], dims, what),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_shows_in_the_digest(monkeypatch, small_digest, fault):
    if "fused" in fault and torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("torch fuses only in its vector code")
    monkeypatch.setattr(*FAULTS[fault])
    assert digest_portable(large=False) != small_digest
