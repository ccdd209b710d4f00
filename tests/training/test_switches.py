"""Switches are read back: one that did not take stops ``strict`` and is recorded under ``warn``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from support.program import build_environment, read_error, run_cxr
from support.recipes import vectors, write_recipe
from support.runs import FinishedRuns, diff

STEP = 4

TRAINS_LATE = """
import sys
from pathlib import Path

import torch

from cxr.config.load import load_config
from cxr.errors import DeterminismError
from cxr.progress import SILENCE
from cxr.training.run import train

try:
    train(load_config(Path(sys.argv[1]), []), out=Path(sys.argv[2]), progress=SILENCE)
except DeterminismError as error:
    print(error.problem)
"""


def test_an_op_without_a_deterministic_kernel_is_named_in_the_manifest_under_warn(
    finished_run: FinishedRuns,
):
    sound = finished_run(vectors(determinism="warn"))
    faulty = finished_run(vectors(determinism="warn"), fault=f"nondeterministic-op:{STEP}")
    assert sound.manifest["ops_without_deterministic_kernel"] == {}
    (op,) = faulty.manifest["ops_without_deterministic_kernel"]
    assert op.startswith("put_")
    assert faulty.manifest["ops_without_deterministic_kernel"][op] == 1
    # It was called beside the network: naming it must not change what is computed.
    assert sound.digests == faulty.digests


def test_an_op_without_a_deterministic_kernel_stops_strict_at_its_step(finished_run: FinishedRuns):
    run = finished_run(vectors(), fault=f"nondeterministic-op:{STEP}", code=3)
    problem, where, _ = read_error(run.process, code=3)
    assert problem.startswith("put_")
    assert "has no deterministic implementation" in problem
    assert where == f"step {STEP}, epoch 1"
    assert run.process.stdout == ""
    manifest = run.manifest
    assert (manifest["status"], manifest["trace"]["steps"]) == ("failed", STEP)
    assert manifest["failure"] == {"problem": problem, "at": where}
    assert run_cxr("verify", run.directory).returncode == 0


def test_a_switch_that_does_not_take_stops_strict_and_leaves_nothing(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    finished = run_cxr(
        "train", "--config", config, "--out", tmp_path / "run", fault="stuck-threads"
    )
    problem, where, _ = read_error(finished, code=3)
    assert problem.startswith("a determinism switch did not take: torch.num_threads is 3, wanted 1")
    assert where == "determinism: strict"
    assert not (tmp_path / "run").exists()


def test_a_switch_that_does_not_take_is_a_recorded_difference_under_warn(
    finished_run: FinishedRuns,
):
    sound = finished_run(vectors(determinism="warn"))
    faulty = finished_run(vectors(determinism="warn"), fault="stuck-threads")
    assert sound.manifest["controls"]["torch.num_threads"] == 1
    assert faulty.manifest["controls"]["torch.num_threads"] == 3
    _, report = diff(sound, faulty)
    assert report["differences"] == [
        {
            "part": "environment",
            "field": "controls.torch.num_threads",
            "a": 1,
            "b": 3,
            "affects_bits": "yes",
            "cause": None,
        }
    ]


def test_every_thread_pool_has_the_threads_of_the_recipe(finished_run: FinishedRuns):
    run = finished_run(vectors(), fault="reported-thread-pools")
    (shown,) = re.findall(r"^thread pools: (.*)$", run.process.stderr, re.MULTILINE)
    pools = json.loads(shown)
    assert pools
    assert [pool for pool in pools if pool[1] != 1] == []


def test_a_limit_on_threads_that_was_set_too_late_to_remove_stops_strict(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors(threads=2))
    finished = run_cxr("train", "--config", config, "--out", tmp_path / "run", fault="limited-team")
    problem, _, _ = read_error(finished, code=3)
    assert "torch.num_threads is 1, wanted 2" in problem
    assert not (tmp_path / "run").exists()


def test_variables_that_came_only_after_torch_was_loaded_stop_strict(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    # A program of the user's own, which loads torch and then has cxr train.
    finished = subprocess.run(
        [sys.executable, "-c", TRAINS_LATE, str(config), str(tmp_path / "run")],
        env=build_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "set only after torch was imported: PYTHONHASHSEED, CUBLAS_WOR" in finished.stdout
    assert not (tmp_path / "run").exists()


def test_hash_randomisation_that_cannot_be_turned_off_stops_strict(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    finished = run_cxr(
        "train", "--config", config, "--out", tmp_path / "run", interpreter_options=["-I"]
    )
    problem, _, hint = read_error(finished, code=3)
    assert problem == (
        "a determinism switch did not take: hash_randomization is True, wanted False"
    )
    assert "fresh process" in hint
    assert not (tmp_path / "run").exists()


def test_the_level_is_the_one_difference_between_warn_and_strict(finished_run: FinishedRuns):
    strict, warn = finished_run(vectors()), finished_run(vectors(determinism="warn"))
    # Without an op that has no kernel both compute alike.
    assert strict.digests == warn.digests
    code, report = diff(strict, warn)
    assert (code, report["verdict"]) == (0, "identical")
    assert [(d["part"], d["field"]) for d in report["differences"]] == [("config", "determinism")]
