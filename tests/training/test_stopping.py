"""However a run ends, its record says so, and what is written is whole."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from support.program import DEADLINE_S, Finished, read_error, run_cxr, started_cxr, wait_until
from support.recipes import Recipe, vectors, write_recipe
from support.runs import FinishedRuns

ENDLESS = 100_000
SMALL: Recipe = {
    "model__hidden": [],
    "train__epochs": ENDLESS,
    "train__checkpoint_every": ENDLESS,
    "data__synthetic": {"train": 100, "val": 10, "test": 10},
}
"""Changes that make small weights and an endless run."""


def test_a_loss_that_is_no_number_fails_the_run_and_names_the_step(finished_run: FinishedRuns):
    run = finished_run(vectors(train__optimizer="sgd", train__lr=100.0, train__epochs=20), code=3)
    problem, where, hint = read_error(run.process, code=3)
    manifest = run.manifest
    steps = manifest["trace"]["steps"]
    assert problem.startswith("the loss is ")
    assert where == f"step {steps}, epoch {steps // 3}"
    assert "train.lr" in hint
    assert manifest["status"] == "failed"
    assert manifest["failure"] == {"problem": problem, "at": where}
    assert [line["step"] for line in run.ledger] == list(range(-1, steps))
    assert "outcome" not in manifest
    require_consistent(run.directory, "failed")


def test_weights_that_are_no_numbers_after_the_last_step_fail_the_run(finished_run: FinishedRuns):
    # The loss of that step is finite: its gradient is not, and no step follows that would see it.
    run = finished_run(vectors(), fault="gradient-nan:5", code=3)
    read_error(run.process, code=3)
    assert run.manifest["status"] == "failed"
    require_consistent(run.directory, "failed")


@pytest.mark.parametrize("step", [2, 5])
def test_a_gradient_that_is_no_number_stops_a_portable_run_before_a_digest_sees_it(
    finished_run: FinishedRuns, step: int
):
    recipe = vectors(determinism="portable", model__hidden=[])
    run = finished_run(recipe, fault=f"gradient-nan:{step}", code=3)
    problem, where, _ = read_error(run.process, code=3)
    assert problem.startswith("the gradient of ")
    assert problem.endswith(" has infinities or NaN")
    assert where == f"step {step}, epoch {step // 3}"
    assert [line["step"] for line in run.ledger] == list(range(-1, step))
    require_consistent(run.directory, "failed")


def test_a_library_that_fails_in_its_own_way_leaves_a_sealed_record(finished_run: FinishedRuns):
    run = finished_run(vectors(), fault="crash:4", code=3)
    assert "Traceback" not in run.process.stderr
    assert "RuntimeError: the planted library gave up" in run.process.stderr
    assert run.manifest["status"] == "failed"
    assert run.manifest["trace"]["steps"] == 4
    require_consistent(run.directory, "failed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_complete_records(tmp_path: Path, number: signal.Signals):
    out = tmp_path / "run"
    config = write_recipe(tmp_path / "recipe.yaml", vectors(train__epochs=ENDLESS))
    with started_cxr("train", "--config", config, "--out", out) as process:
        wait_until(lambda: count_lines(out) > 5, process)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=DEADLINE_S)
    finished = Finished([], process.returncode, stdout, stderr[stderr.index("error: ") :])
    problem, where, _ = read_error(finished, code=130)
    assert problem == f"stopped by {number.name}"
    assert where.startswith(("epoch ", "predicting "))
    assert stdout == ""
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["status"] == "interrupted"
    assert manifest["trace"]["steps"] == count_lines(out) - 1
    assert not (out / "run.lock").exists()
    require_consistent(out, "interrupted")


def test_a_run_started_by_nohup_survives_its_terminal(tmp_path: Path):
    out = tmp_path / "run"
    config = write_recipe(tmp_path / "recipe.yaml", vectors(train__epochs=150))
    with started_cxr(
        "train", "--config", config, "--out", out, fault="started-by-nohup"
    ) as process:
        wait_until(lambda: count_lines(out) > 5, process)
        process.send_signal(signal.SIGHUP)
        stderr = process.communicate(timeout=DEADLINE_S)[1]
    assert process.returncode == 0, stderr
    assert json.loads((out / "manifest.json").read_bytes())["status"] == "completed"


@pytest.mark.parametrize(
    ("recipe", "blamed"),
    [
        # The first checkpoint has 150 kB: it does not fit.
        (vectors(), "step-000000003.safetensors"),
        # 100 steps an epoch, 0.6 kB each.
        (vectors(**SMALL, train__batch_size=1), "ledger.jsonl"),
        # One step an epoch, and 1.5 kB of figures.
        (vectors(**SMALL, train__batch_size=100), "metrics.jsonl"),
    ],
    ids=["checkpoint", "ledger", "metrics"],
)
def test_a_full_disk_fails_the_run_and_leaves_nothing_half_written(
    tmp_path: Path, recipe: Recipe, blamed: str
):
    out = tmp_path / "run"
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    finished = run_cxr(
        "train", "--config", config, "--out", out, "--quiet", fault="small-files:40000"
    )
    problem, where, hint = read_error(finished, code=3)
    assert problem == "cannot write: File too large"
    assert Path(where).name == blamed
    assert "free space" in hint
    assert f"cxr train --resume {out}" in hint
    assert [path for path in out.rglob("*") if path.name.endswith(".tmp")] == []
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["status"] == "failed"
    assert str(tmp_path) not in json.dumps(manifest["failure"])
    for name in ("ledger.jsonl", "metrics.jsonl"):
        written = (out / name).read_bytes() if (out / name).exists() else b""
        assert all(json.loads(line) for line in written.splitlines()), name
        assert written[-1:] in (b"", b"\n"), name
    require_consistent(out, "failed")


def test_a_disk_that_is_full_from_the_start_leaves_nothing_or_a_failed_record(tmp_path: Path):
    out = tmp_path / "run"
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    finished = run_cxr("train", "--config", config, "--out", out, fault="small-files:3000")
    problem, where, _ = read_error(finished, code=3)
    assert problem == "cannot write: File too large"
    assert Path(where).parent == out
    if out.exists():
        assert json.loads((out / "manifest.json").read_bytes())["status"] == "failed"


def count_lines(run: Path) -> int:
    """Return the complete lines of a ledger that may be growing."""
    ledger = run / "ledger.jsonl"
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def require_consistent(run: Path, status: str) -> None:
    finished = run_cxr("verify", run)
    assert finished.returncode == 0, finished.stdout
    assert finished.stdout.endswith(f"all digests agree; status {status}\n")
