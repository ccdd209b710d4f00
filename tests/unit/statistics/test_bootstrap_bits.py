from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from cxr.statistics import counted

TESTS = Path(__file__).parents[2]

GOLDEN = "8ef7d6ea79962eaeb28f056b0fe6ac2b980f493c370ae2b94d4d3352162b8428"
"""Another value is another statistic, or another stream: see "When bits change"."""

SETTINGS = [
    ([], {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}),
    (["1"], {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}),
    (["7"], {"OPENBLAS_CORETYPE": "Sandybridge"}),
    (["64"], {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX"}),
]


def start(arguments, variables):
    return subprocess.Popen(
        [sys.executable, "-m", "support.bootstrap_bits", *arguments],
        env=os.environ | {"PYTHONPATH": str(TESTS), "OMP_WAIT_POLICY": "PASSIVE"} | variables,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_intervals_have_one_digest_for_every_block_thread_count_and_instruction_set():
    running = [start(*setting) for setting in SETTINGS]
    digests = [process.communicate()[0].strip() for process in running]
    assert all(process.returncode == 0 for process in running)
    assert digests == [GOLDEN] * len(SETTINGS)


def test_sums_that_are_not_of_whole_numbers_would_not():
    # The fault that whole numbers keep out: products of fractions, added up in the library's order.
    rng = np.random.default_rng(0)
    fractions, weights = rng.normal(size=(5000, 8)), rng.integers(0, 4, (64, 5000)).astype(float)
    order = rng.permutation(5000)
    one, other = weights @ fractions, weights[:, order] @ fractions[order]
    assert not np.array_equal(one, other)
    whole = counted.round_to_fraction(fractions, counted.choose_fraction_bits(10.0, 20_000))
    one, other = weights @ whole, weights[:, order] @ whole[order]
    assert np.array_equal(one, other)
