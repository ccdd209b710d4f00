"""The divergence that ``docs/debugging.md`` walks through comes out as the page prints it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.program import run_cxr

PAGE = Path(__file__).parents[2] / "docs" / "debugging.md"
CONFIG = PAGE.parents[1] / "configs" / "synthetic_mlp.yaml"


@pytest.fixture(scope="module")
def shown() -> list[str]:
    """The lines of the page's second section."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition("\n## 2.")[2].partition("\n## 3.")[0].splitlines()


@pytest.fixture
def tuned(tmp_path: Path, shown: list[str]) -> Path:
    """The library of the page, in its directory."""
    (block,) = re.findall(r"```python\n(.*?)```", "\n".join(shown), re.DOTALL)
    place = tmp_path / "tuned"
    place.mkdir()
    (place / "sitecustomize.py").write_text(block, encoding="utf-8")
    return place


def test_the_walk_from_a_repeat_that_fails_to_the_op(tuned: Path, shown: list[str], tmp_path: Path):
    env = {"PYTHONPATH": str(tuned)}
    runs = [f"repeat/run-{number}" for number in (1, 2, 3)]

    # One epoch: the runs part in its first step.
    options = ("--config", CONFIG, "--out", "repeat", "--set", "train.epochs=1")
    repeat = run_cxr("repeat", "-q", *options, env=env, cwd=tmp_path)
    assert repeat.returncode == 1, repeat.stderr
    printed = repeat.stdout.splitlines()
    assert printed[0] == "variance: 3 of 3 runs completed"
    assert printed[0] in shown
    (parted,) = [line for line in printed if line.startswith("first divergence: ")]
    assert parted.startswith("first divergence: epoch 0, step 0, ")

    same = run_cxr("diff", runs[1], runs[2], "-q", env=env, cwd=tmp_path)
    assert same.stdout == "identical\n"

    gone = run_cxr("diff", runs[0], runs[1], "--replay", env=env, cwd=tmp_path)
    (told,) = [line for line in gone.stdout.splitlines() if line.startswith("replay: ")]
    assert told.startswith("replay: run a leaves its own ledger at step 0 ")

    (tuned / "choice.txt").unlink()
    found = run_cxr("diff", runs[0], runs[1], "--replay", env=env, cwd=tmp_path)
    lines = found.stdout.splitlines()
    named = [line for line in lines if line.startswith(("first op that differs: ", "in its place"))]
    assert len(named) == 2
    assert set(named) <= set(shown)
    assert "replay: both runs repeat here up to step 0" in lines
