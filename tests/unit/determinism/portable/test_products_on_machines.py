from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[3]

GOLDEN = "36c3b16016152632235565836ff1c2f9a70edd6623c3aec4659d71ab1d7f3269"
"""Of arithmetic version 1: another value is another version."""

OLD_MACHINE = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "1",
}
SETTINGS = [
    ("measured", {"OMP_NUM_THREADS": "3"}),
    ("float64", OLD_MACHINE),
    ("int8", OLD_MACHINE),
    ("float64", {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "OMP_NUM_THREADS": "2"}),
    ("int8", {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}),
]


def start(backend, variables):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "support.portable_products", backend],
        env=os.environ | {"PYTHONPATH": str(TESTS), "OMP_WAIT_POLICY": "PASSIVE"} | variables,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_products_have_one_digest_on_every_machine():
    running = [start(*setting) for setting in SETTINGS]
    digests = [process.communicate()[0].strip() for process in running]
    assert all(process.returncode == 0 for process in running)
    assert digests == [GOLDEN] * len(SETTINGS)
