"""The page of models is of this version of the arithmetic, and of these bits."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cxr.determinism.portable.version import ARITHMETIC_VERSION
from support.program import build_environment

HOME = Path(__file__).parents[4]
PAGE = (HOME / "docs" / "portable-models.md").read_text(encoding="utf-8")

FAST = ("mlp", "test_resnet", "convnextv2_atto", "vit_tiny_patch16_224", "mobilenetv3_large_100")
"""Convolutions, layer norm, gelu, softmax, hardswish: seconds, where all sixteen take minutes."""


def test_the_page_says_what_models_give():
    assert f"by version {ARITHMETIC_VERSION} of the arithmetic" in PAGE
    said = dict(re.findall(r"^\| `(\w+)` \| \d+ \| trains \| `(\w+)` \|$", PAGE, re.MULTILINE))
    finished = subprocess.run(
        [sys.executable, HOME / "benchmarks" / "portable_models.py", "--digest", *FAST],
        env=build_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split() for line in finished.stdout.splitlines())
    assert set(found) == set(FAST)
    assert {name: said.get(name) for name in FAST} == {
        name: digest.removeprefix("sha256:")[:12] for name, digest in found.items()
    }
