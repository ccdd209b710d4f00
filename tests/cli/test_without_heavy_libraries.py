"""The tests that block libraries do block them, and the public function does without."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.program import build_environment
from support.runs import HEAVY

SEED = "import cxr, json; print(json.dumps(cxr.seed_everything(7)))"


@pytest.mark.parametrize("library", HEAVY)
def test_a_blocked_library_cannot_be_imported(library: str):
    finished = run_python(f"import {library}", blocked=[library])
    assert finished.returncode == 1
    assert f"ImportError: {library} is blocked in this test" in finished.stderr


def test_everything_can_be_seeded_without_torch():
    finished = run_python(SEED, blocked=HEAVY)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert '"python"' in finished.stdout
    assert '"torch"' not in finished.stdout


def test_everything_that_is_there_is_seeded_the_same_each_time():
    draw = (
        "import cxr, random, numpy, torch; cxr.seed_everything(7);"
        "print(random.random(), numpy.random.rand(), torch.rand(1).item())"
    )
    first, second = run_python(draw), run_python(draw)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert len(set(first.stdout.split())) == 3


def run_python(
    code: str, *, blocked: tuple[str, ...] | list[str] = ()
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=build_environment(blocked=blocked),
        check=False,
    )
