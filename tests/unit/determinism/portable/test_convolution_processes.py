"""Convolutions in processes that compute in different ways: one digest, and the golden one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Changes with ARITHMETIC_VERSION alone.
GOLDEN = "0ccca8811dcd5c81a6489259d5d1e88f8cb1f34a0b4ff58b3f43b3469f221342"

# Threads, instruction sets of torch, oneDNN and MKL, and the backend of products.
SETTINGS = [
    {"OMP_NUM_THREADS": "2", "PRODUCTS": "float64"},
    {"OMP_NUM_THREADS": "1", "PRODUCTS": "int8", "ATEN_CPU_CAPABILITY": "default"},
    {"OMP_NUM_THREADS": "3", "PRODUCTS": "float64", "ATEN_CPU_CAPABILITY": "avx2"},
    {
        "OMP_NUM_THREADS": "1",
        "PRODUCTS": "int8",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
    {
        "OMP_NUM_THREADS": "2",
        "PRODUCTS": "float64",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
        "ATEN_CPU_CAPABILITY": "default",
    },
]


def print_digests():
    """Print digests of all layers' outputs and gradients: portable ones, then native ones."""
    import torch

    from cxr.determinism.portable.exact.backend_choice import use_backend
    from cxr.determinism.portable.exact.convolution import REPLACED
    from support.convolutions import LAYERS, Layer

    forward = REPLACED["aten.convolution.default"]
    backward = REPLACED["aten.convolution_backward.default"]
    # Large enough that libraries divide the work among threads.
    wide = Layer(num_samples=3, channels=(32, 48), image=(40, 40), stride=(2, 1))
    deep = Layer(channels=(16, 16), image=(56, 56), groups=16)
    layers = [*LAYERS.values(), wide, deep]
    with use_backend(os.environ["PRODUCTS"]):
        portable = digest_layers(layers, forward, backward)
    native = torch.ops.aten.convolution, torch.ops.aten.convolution_backward
    sys.stdout.write(f"{portable} {digest_layers(layers, *native)}\n")


def digest_layers(layers, forward, backward):
    digest = hashlib.sha256()
    for layer in layers:
        x, weight, bias, grad = layer.draw()
        sizes = list(bias.shape)
        output = forward(x, weight, bias, *layer.arguments)
        gradients = backward(grad, x, weight, sizes, *layer.arguments, [True] * 3)
        for tensor in (output, *gradients):
            digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def digests():
    """Portable and native digests, a pair for each setting."""
    tests = Path(__file__).parents[3]
    running = [
        subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, **setting, "PYTHONPATH": str(tests)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for setting in SETTINGS
    ]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(SETTINGS)
    return [output.split() for output in outputs]


def test_all_settings_give_the_golden_digest(digests):
    assert {portable for portable, _ in digests} == {GOLDEN}


def test_the_settings_do_change_native_bits(digests):
    assert len({native for _, native in digests}) > 1


if __name__ == "__main__":
    print_digests()
