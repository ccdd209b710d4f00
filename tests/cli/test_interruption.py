"""A signal that comes at any moment ends every command with three lines, and is never lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import Finished, read_error, run_cxr
from support.recipes import vectors, write_recipe
from support.runs import FinishedRuns

LOADING = [
    (["train", "--config", "RECIPE", "--out", "OUT"], "cxr.config.load"),
    (["train", "--config", "RECIPE", "--out", "OUT"], "torch"),
    (["train", "--resume", "RUN"], "cxr.training.run"),
    (["repeat", "--config", "RECIPE", "--out", "OUT"], "pydantic"),
    (["evaluate", "RUN"], "torch"),
    (["diff", "RUN", "RUN"], "cxr.compare.diff"),
    (["verify", "RUN"], "cxr.compare.verify_run"),
    (["doctor"], "cxr.selftest.health"),
    (["doctor", "--selftest", "--out", "OUT"], "torch"),
    (["env", "capture", "--out", "OUT"], "cxr.environment.capture"),
    (["data", "synth", "OUT"], "numpy"),
    (["data", "verify", "IMAGES", "--full"], "cxr.data.checks.unchanged"),
]


@pytest.mark.parametrize(
    ("command", "module"), LOADING, ids=[f"{' '.join(words)}: {name}" for words, name in LOADING]
)
def test_a_signal_while_modules_load_is_not_lost(
    command: list[str],
    module: str,
    finished_run: FinishedRuns,
    radiographs: Path,
    tmp_path: Path,
):
    places = {
        "RECIPE": write_recipe(tmp_path / "recipe.yaml", vectors()),
        "RUN": finished_run(vectors()).directory,
        "IMAGES": radiographs,
        "OUT": tmp_path / "out",
    }
    finished = run_cxr(
        *(places.get(word, word) for word in command), fault=f"signal-while-loading:{module}"
    )
    problem, where, _ = read_error(finished, code=130)
    assert (problem, where) == ("stopped by SIGINT", f"cxr {command[0]}")
    assert finished.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


def test_a_signal_while_a_run_is_prepared_leaves_nothing(tmp_path: Path):
    # Vectors are drawn without telling progress, so nothing obeys before the run would begin.
    config = write_recipe(tmp_path / "recipe.yaml", vectors(model={"name": "test_resnet"}))
    options = ["--config", config, "--out", tmp_path / "out"]
    finished = run_cxr("train", *options, fault="signal-while-loading:timm")
    assert read_last_error(finished) == ("stopped by SIGINT", "before the first step")
    assert not (tmp_path / "out").exists()


def test_what_a_library_makes_of_a_second_signal_is_no_fault_of_cxr(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors(model={"name": "test_resnet"}))
    options = ["--config", config, "--out", tmp_path / "out"]
    finished = run_cxr("train", *options, fault="signals-break-loading:timm")
    assert read_last_error(finished) == ("stopped by SIGINT", "cxr train")
    assert not (tmp_path / "out").exists()


def test_a_signal_while_the_process_starts_itself_again_waits_for_it():
    finished = run_cxr("env", "capture", fault="signal-at-reexecution")
    assert read_error(finished, code=130)[:2] == ("stopped by SIGINT", "cxr env")
    assert finished.stdout == ""


@pytest.mark.parametrize(("fault", "steps"), [("two-signals:4", 4), ("signal-while-stopping:4", 5)])
def test_a_second_signal_is_not_waited_for_and_the_record_says_so(
    tmp_path: Path, fault: str, steps: int
):
    out = tmp_path / "run"
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    finished = run_cxr("train", "--config", config, "--out", out, fault=fault)
    assert read_last_error(finished)[0] == "stopped by SIGINT"
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert (manifest["status"], manifest["trace"]["steps"]) == ("interrupted", steps)
    assert run_cxr("verify", out).returncode == 0


def test_a_signal_after_the_last_step_is_not_lost_nor_is_the_result(tmp_path: Path):
    out = tmp_path / "run"
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    finished = run_cxr("train", "--config", config, "--out", out, fault="signal-after-sealing")
    assert read_last_error(finished) == ("stopped by SIGINT", "cxr train")
    assert finished.stdout.startswith(f"completed: {out}\n")
    assert json.loads((out / "manifest.json").read_bytes())["status"] == "completed"


def read_last_error(finished: Finished[str]) -> tuple[str, str]:
    """Return problem and place of an interruption that may have lines of progress before it."""
    finished.stderr = finished.stderr[finished.stderr.index("error: ") :]
    return read_error(finished, code=130)[:2]
