"""``cxr repeat --against``: head must give the bits of a base that was trained here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import read_answer, read_error, run_cxr
from support.recipes import vectors
from support.runs import FinishedRuns, Run, copy_run


@pytest.fixture(scope="module")
def base(finished_run: FinishedRuns) -> Run:
    return finished_run(vectors())


def test_one_run_that_equals_the_base_passes(base: Run, tmp_path: Path):
    finished = run_cxr(
        *("repeat", "-n", "1", "--config", base.config, "--against", base.directory),
        *("--out", tmp_path / "out", "--json", "-q"),
    )
    answer = read_answer(finished)
    assert (finished.returncode, finished.stderr) == (0, "")
    outcome, trace = base.digests
    assert answer["against"] == {
        "run": str(base.directory),
        "outcome_digest": outcome,
        "trace_digest": trace,
        "equal": True,
        "differing": None,
        "first_divergence": None,
    }
    assert (answer["n"], answer["excluded_rate"]) == (1, None)
    # A record holds no path of this machine.
    assert str(base.directory.parent) not in (tmp_path / "out" / "repeat.json").read_text()
    assert run_cxr("verify", tmp_path / "out").returncode == 0


def test_other_bits_are_shown_with_the_first_step_that_has_them(base: Run, tmp_path: Path):
    summary = tmp_path / "summary.md"
    finished = run_cxr(
        *("repeat", "-n", "2", "--config", base.config, "--against", base.directory),
        *("--out", tmp_path / "out", "-q"),
        fault="other-bits-in-run:2",
        env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)},
    )
    assert finished.returncode == 1
    lines = finished.stdout.splitlines()
    parted = "first divergence: epoch 1, step 3, gradients (backbone.1.weight)"
    told = f"NOT equal to {base.directory}: {parted}"
    assert lines[:2] == ["variance: 2 of 2 runs completed", f"  {told}"]
    assert f"{base.directory} against {tmp_path / 'out' / 'run-2'}:" in lines
    assert parted in lines
    assert finished.stderr == f"::error title=cxr repeat::{told}\n"
    assert "### cxr repeat\n\nNOT equal to" in summary.read_text()
    record = json.loads((tmp_path / "out" / "repeat.json").read_bytes())["against"]
    assert (record["equal"], record["differing"]) == (False, "run-2")


@pytest.mark.parametrize(
    ("options", "env", "code", "problem"),
    [
        (["--set", "train.lr=0.5"], {}, 3, "another recipe: it differs in train.lr"),
        ([], {"MKL_CBWR": "AVX2"}, 3, "another environment: variables.MKL_CBWR"),
    ],
)
def test_what_would_not_be_about_the_code_is_refused_before_training(
    base: Run, tmp_path: Path, options: list[str], env: dict[str, str], code: int, problem: str
):
    finished = run_cxr(
        *("repeat", "-n", "1", "--config", base.config, "--against", base.directory),
        *("--out", tmp_path / "out", "-q", *options),
        env=env,
    )
    said, where, _ = read_error(finished, code=code)
    assert problem in said
    assert where == str(base.directory)
    assert not (tmp_path / "out").exists()


def test_a_base_that_was_edited_is_refused(base: Run, tmp_path: Path):
    edited = copy_run(base, tmp_path / "edited")
    path = edited / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"step":3', b'"step":4', 1))
    finished = run_cxr("repeat", "--config", base.config, "--against", edited, "-q")
    assert "does not verify: ledger.jsonl" in read_error(finished, code=3)[0]


def test_a_golden_of_a_run_is_made_by_train_and_refused_under_strict(base: Run, tmp_path: Path):
    golden = tmp_path / "golden.json"
    golden.write_text(base.process.stdout, encoding="utf-8")
    assert json.loads(base.process.stdout)["recipe"] == base.manifest["recipe"]
    finished = run_cxr("repeat", "--config", base.config, "--against", golden, "-q")
    problem, where, hint = read_error(finished, code=2)
    assert problem == "a stored golden does not gate at the level strict"
    assert where == str(golden)
    assert "train the base here" in hint


def test_one_run_alone_repeats_nothing(base: Run):
    problem, where, _ = read_error(run_cxr("repeat", "-n", "1", "--config", base.config), code=2)
    assert (problem, where) == ("one run repeats nothing", "-n 1")
