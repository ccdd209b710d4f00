from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cxr.determinism.portable.elementary import (
    exponentials,
    functions,
    normal_table,
    square_roots,
)
from cxr.determinism.portable.layers import softmax
from support import portable_function_bits as bits

TESTS = Path(__file__).parents[3]
SCRIPT = TESTS / "support" / "portable_function_bits.py"
GOLDEN = json.loads((TESTS / "golden" / "portable_functions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "variables",
    [
        {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1"},
        {"ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "3", "MKL_CBWR": "COMPATIBLE"},
        {"ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "2"},
    ],
    ids=["default", "avx2", "sse41"],
)
def test_every_process_gives_the_golden_bits(variables):
    printed = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, **variables},
        capture_output=True,
        check=True,
    )
    assert json.loads(printed.stdout) == GOLDEN


def fused_horner(x, coefficients):
    """Horner's rule with a fused multiply-add, which rounds once a step."""
    value = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        exact = torch.addcmul(torch.full_like(x, coefficient), value, x)
        # Where addcmul is not fused, an error of the same size takes its place.
        value = exact if "AVX" in torch.backends.cpu.get_cpu_capability() else exact * (1 + 2**-52)
    return value


def native_sum(x, dims, *, keepdim=False):
    return x.float().sum(dims, keepdim=keepdim).double()


def native_exp(x):
    return x.float().exp().double()


@pytest.mark.parametrize(
    ("module", "name", "fault", "compute", "changed"),
    [
        (exponentials, "horner", fused_horner, bits.digest_float64, "exp64"),
        (softmax, "sum_tree", native_sum, bits.digest_rows, "softmax 2"),
        (softmax, "exp_single", native_exp, bits.digest_rows, "softmax 2"),
        (functions, "exp_single", native_exp, bits.digest_elementwise, "exp"),
        (square_roots, "_ULP", 2.0**-51, bits.digest_float64, "sqrt64"),
        (normal_table, "_SIXTH", 0.0, bits.digest_elementwise, "gelu"),
    ],
    ids=[
        "fused",
        "native sum",
        "native exp in softmax",
        "native exp",
        "root's last bit",
        "gelu without a term",
    ],
)
def test_a_planted_fault_changes_a_golden_digest(
    monkeypatch, module, name, fault, compute, changed
):
    monkeypatch.setattr(module, name, fault)
    assert compute()[changed] != GOLDEN[changed]


@pytest.mark.parametrize("name", ["gelu", "silu", "tanh", "pow.Tensor_Scalar", "silu_backward"])
def test_layout_and_neighbours_do_not_matter(name):
    full = name if "." in name else f"{name}.default"
    function = bits.TABLE[f"aten.{full}"]
    rest = (3,) if name.startswith("pow") else ()
    x = bits.draw_usual(3 * 5 * 7 * 2, 20).reshape(3, 5, 7, 2)
    compute = (lambda t: function(t, t)) if "backward" in name else (lambda t: function(t, *rest))
    wanted = compute(x)
    for other in (
        x.to(memory_format=torch.channels_last),
        x.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
        x.repeat(1, 1, 1, 2)[..., :2],
    ):
        assert bits.digest(compute(other)) == bits.digest(wanted)
    assert compute(x.to(memory_format=torch.channels_last)).is_contiguous(
        memory_format=torch.channels_last
    )
    for row, of_all in zip(x, wanted, strict=True):
        assert bits.digest(compute(row)) == bits.digest(of_all)
    assert compute(x[:0]).shape == (0, 5, 7, 2)
    assert bits.digest(compute(x[0, 0, 0, 0])) == bits.digest(wanted[0, 0, 0, 0])
