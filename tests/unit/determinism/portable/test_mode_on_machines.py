from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[3]
SETTINGS = [
    {"OMP_NUM_THREADS": "3"},
    {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
        "OMP_NUM_THREADS": "1",
        "CXR_PORTABLE_PRODUCTS": "int8",
    },
    {
        "ATEN_CPU_CAPABILITY": "avx2",
        "OMP_NUM_THREADS": "2",
        "CXR_PORTABLE_PRODUCTS": "float64",
    },
]
GOLDEN = {
    "scalars": "9c4f2d9e0abf04f0d129d323ea9cee2264c67319ffeb5e58a701f92008247f1b",
    "rows": "dad9c40f6da5a669ba3e3ec63b5a6b1a03e25a46bddd98ee34baea88e5440f3d",
    "attention": "636156a26afaa2fe632e1dfc2be7006501ce7925a224de92e1ffc06bf5dc4926",
    "ranges": "71721fcf1b64fc1c9ce944dcb8999c62da7b97f3569ac9ad29655cf80179266d",
}
"""Of arithmetic version 1: another value is another version."""


def start(variables):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "support.portable_mode_bits"],
        env=os.environ | {"PYTHONPATH": str(TESTS), "OMP_WAIT_POLICY": "PASSIVE"} | variables,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def answers():
    running = [start(setting) for setting in SETTINGS]
    texts = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(SETTINGS)
    return [json.loads(text) for text in texts]


def test_the_mode_gives_one_digest_on_every_machine(answers):
    assert [answer["portable"] for answer in answers] == [GOLDEN] * len(SETTINGS)


def test_torch_itself_gives_others(answers):
    """Otherwise the test above would show nothing."""
    for part in ("scalars", "attention"):
        assert len({answer["native"][part] for answer in answers}) > 1, part
