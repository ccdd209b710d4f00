"""Stopping runs and going on with them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from support.program import Finished, read_answer, run_cxr
from support.recipes import Recipe, vectors, write_recipe
from support.runs import HEAVY, FinishedRuns, Run, diff


def stop_run(finished_run: FinishedRuns, recipe: Recipe, step: int) -> Run:
    """Return a run that was told to stop at a step."""
    stopped = finished_run(recipe, fault=f"signal:{step}", code=130)
    assert stopped.manifest["status"] == "interrupted"
    assert stopped.manifest["trace"]["steps"] == step + 1
    return stopped


def kill(tmp_path: Path, fault: str) -> Path:
    """Train until the fault kills the process; return the run directory that is left."""
    out = tmp_path / "run"
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    finished = run_cxr("train", "--config", config, "--out", out, fault=fault)
    assert finished.returncode == -signal.SIGKILL, finished.stderr
    assert (out / "run.lock").exists()
    return out


def resume_run(run: Path, *options: str | Path, code: int = 0, **changes: Any) -> Finished[str]:
    """Go on with a run; ``changes`` are options of `run_cxr`."""
    finished = run_cxr("train", "--resume", run, "--json", *options, **changes)
    assert finished.returncode == code, finished.stderr
    return finished


def require_same_as_never_stopped(stopped: Path, never_stopped: Run, *options: str | Path) -> None:
    """Go on with a run to its end: it must be the one that was never stopped, bit for bit."""
    answer = read_answer(resume_run(stopped, *options))
    assert (answer["outcome_digest"], answer["trace_digest"]) == never_stopped.digests
    assert answer["status"] == "completed"
    for name in ("ledger.jsonl", "metrics.jsonl", "predictions.csv", "model.safetensors"):
        assert (stopped / name).read_bytes() == (never_stopped.directory / name).read_bytes()
    verified = run_cxr("verify", stopped, blocked=HEAVY)
    assert verified.returncode == 0, verified.stdout
    assert diff(stopped, never_stopped)[1]["verdict"] == "identical"
