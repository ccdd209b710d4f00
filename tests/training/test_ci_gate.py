"""The gate of ``docs/ci.md``, run as it stands there, on two copies of the sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cxr.environment.code import digest_code
from support.ci_page import ROOT, read_workflows
from support.program import DEADLINE_S, Finished, build_environment, read_error

# In place of uv, which would build two environments: this interpreter, with the project's sources.
UV = """#!/bin/sh
if test "$1" = sync; then
  test "$*" = "sync --locked --project $4" || exit 64
  exec touch "$PWD/$4/synced"
fi
test "$1 $2 $3 $5" = "run --no-sync --project cxr" || exit 64
test -e "$PWD/$4/synced" || exit 65
sources="$PWD/$4/src"
shift 5
PYTHONPATH="$sources" exec "{python}" -P -m cxr "$@"
"""
PIP = """#!/bin/sh
test "$*" = "install uv"
"""

# One gradient in a million million parts: nobody would see it in a figure.
CHANGE = """

_accumulate = accumulate_gradients


def accumulate_gradients(learner, batch):  # type: ignore[no-redef]
    loss = _accumulate(learner, batch)
    if batch.step == 7:
        next(learner.network.parameters()).grad.mul_(1 + 2**-20)
    return loss
"""


def read_steps() -> list[str]:
    """Return the scripts of the gate, in order."""
    (job,) = read_workflows()["bits"]["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base and head side by side, as the gate checks them out, and what stands for uv."""
    place = tmp_path_factory.mktemp("gate")
    for name in ("base", "head"):
        for folder in ("src", "configs", "data/sample"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / folder, place / name / folder, ignore=ignored)
        # Two epochs show what fifteen do: whether the bits are equal, and where they part.
        config = place / name / "configs" / "sample.yaml"
        text = config.read_text(encoding="utf-8")
        assert "  epochs: 15\n" in text
        config.write_text(text.replace("  epochs: 15\n", "  epochs: 2\n"), encoding="utf-8")
    programs = place / "programs"
    programs.mkdir()
    for name, text in (("uv", UV.format(python=sys.executable)), ("pip", PIP)):
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    return place


def run_step(script: str, place: Path, **variables: str) -> Finished[str]:
    """Run one step's script in the shell that GitHub runs it in."""
    path = os.pathsep.join([str(place / "programs"), os.environ["PATH"]])
    return subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=place,
        env=build_environment({"PATH": path, **variables}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )


def read_code(run: Path) -> str:
    return json.loads((run / "manifest.json").read_bytes())["recipe"]["code_digest"]


def test_the_gate_lets_equal_bits_pass_and_stops_others(checkout: Path):
    runs, gate = checkout / "runs", read_steps()[-1]
    # Another code with the same bits passes.
    step = checkout / "head" / "src" / "cxr" / "training" / "step.py"
    original = step.read_text(encoding="utf-8")
    step.write_text(f"{original}\n# A comment is other code.\n", encoding="utf-8")
    for script in read_steps():
        finished = run_step(script, checkout)
        assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[1] == "  equal to runs/base, bit for bit"
    assert read_code(runs / "base") == digest_code()
    assert read_code(runs / "head" / "run-1") != read_code(runs / "base")

    # One that computes otherwise does not.
    step.write_text(original + CHANGE, encoding="utf-8")
    (runs / "head").rename(runs / "equal")
    summary = checkout / "summary.md"
    finished = run_step(gate, checkout, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert finished.returncode == 1, finished.stderr
    told = finished.stdout.splitlines()[1].strip()
    assert told.startswith("NOT equal to runs/base: first divergence: epoch 1, step 7, gradients (")
    assert f"::error title=cxr repeat::{told}" in finished.stderr.splitlines()
    assert "NOT equal to runs" in summary.read_text(encoding="utf-8")

    # Another recipe is no answer about the code.
    config = checkout / "head" / "configs" / "sample.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "\nseed: 43\n", encoding="utf-8")
    finished = run_step(gate, checkout)
    assert read_error(finished, code=3)[0] == "another recipe: it differs in seed"
