"""``cxr diff`` on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.program import read_answer, read_error, run_cxr
from support.recipes import vectors
from support.runs import HEAVY, FinishedRuns, copy_run, diff


def test_identical_runs_need_one_word(finished_run: FinishedRuns):
    a, b = (finished_run(vectors(), tag=tag).directory for tag in ("", "second"))
    for options in ([], ["-q"]):
        finished = run_cxr("diff", a, b, *options, blocked=HEAVY)
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, "identical\n", "")


def test_different_runs_are_shown_with_place_cause_and_figures(finished_run: FinishedRuns):
    a, b = finished_run(vectors()), finished_run(vectors(train__lr=2e-3))
    finished = run_cxr("diff", a.directory, b.directory, blocked=HEAVY)
    assert (finished.returncode, finished.stderr) == (1, "")
    lines = [line.rstrip() for line in finished.stdout.splitlines()]
    assert lines[:7] == [
        "different",
        "first divergence: epoch 0, step 0, optimizer (lr)",
        "",
        "what went in differently:",
        "part     field      a       b       bits",
        "────────────────────────────────────────",
        "config   train.lr   0.001   0.002   yes",
    ]
    loss = [run.manifest["metrics"]["loss"] for run in (a, b)]
    row = f"loss {loss[0]:.6g} {loss[1]:.6g} {loss[1] - loss[0]:.6g}"
    assert row in [" ".join(line.split()) for line in lines]
    assert any("of 20 decisions changed" in line for line in lines)
    quiet = run_cxr("diff", a.directory, b.directory, "-q", blocked=HEAVY)
    assert (quiet.returncode, quiet.stdout) == (1, "different\n")


def test_json_has_the_agreed_keys(finished_run: FinishedRuns):
    code, report = diff(finished_run(vectors()), finished_run(vectors(train__lr=2e-3)))
    assert code == 1
    assert report.keys() >= {"verdict", "first_divergence", "differences", "metrics"}
    assert report["first_divergence"].keys() == {"step", "epoch", "what", "tensor"}
    (found,) = report["differences"]
    assert found.keys() == {"part", "field", "a", "b", "affects_bits", "cause"}
    assert report["metrics"]["accuracy"].keys() == {"a", "b", "difference"}


def test_a_tolerance_that_holds_gives_equivalent_and_never_identical(finished_run: FinishedRuns):
    a, b = finished_run(vectors()), finished_run(vectors(train__lr=2e-3))
    gap = abs(a.manifest["metrics"]["loss"] - b.manifest["metrics"]["loss"])
    assert gap > 0
    held = ["--tolerance", f"loss={gap * 1.01}", "--tolerance", "accuracy=1"]
    finished = run_cxr("diff", a.directory, b.directory, *held)
    assert finished.returncode == 0
    assert finished.stdout.startswith("equivalent: the bits differ; loss within ")
    assert read_answer(run_cxr("diff", a.directory, b.directory, *held, "--json"))["verdict"] == (
        "equivalent"
    )
    code, report = diff(a, b, "--tolerance", f"loss={gap * 0.99}", "--tolerance", "accuracy=1")
    assert (code, report["verdict"]) == (1, "different")


def test_an_edited_ledger_is_not_compared(finished_run: FinishedRuns, tmp_path: Path):
    usual = finished_run(vectors())
    edited = copy_run(usual, tmp_path / "edited")
    ledger = edited / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"loss":"xxh3-128:', b'"loss":"xxh3-128:0', 1))
    problem, where, _ = read_error(run_cxr("diff", usual.directory, edited), code=3)
    assert problem.startswith("the ledger's chain breaks")
    assert where == f"{ledger}:2, step 0"


def test_a_ledger_without_its_end_is_not_compared(finished_run: FinishedRuns, tmp_path: Path):
    usual = finished_run(vectors())
    for name in ("a", "b"):
        cut = copy_run(usual, tmp_path / name) / "ledger.jsonl"
        cut.write_bytes(b"".join(cut.read_bytes().splitlines(keepends=True)[:-1]))
    problem, _, _ = read_error(run_cxr("diff", tmp_path / "a", tmp_path / "b"), code=3)
    assert problem == "the ledger does not end where the manifest says"


@pytest.mark.parametrize("name", ["ledger.jsonl", "env.json"])
def test_a_missing_record_is_named(finished_run: FinishedRuns, tmp_path: Path, name: str):
    usual = finished_run(vectors())
    other = copy_run(usual, tmp_path / "other")
    (other / name).unlink()
    _, where, _ = read_error(run_cxr("diff", usual.directory, other), code=3)
    assert where == str(other / name)


def test_an_outcome_that_was_edited_is_not_believed(finished_run: FinishedRuns, tmp_path: Path):
    usual, other = finished_run(vectors()), finished_run(vectors(train__lr=2e-3))
    forged = copy_run(other, tmp_path / "forged")
    manifest = other.manifest
    manifest["outcome_digest"] = usual.manifest["outcome_digest"]
    manifest["trace"] = usual.manifest["trace"]
    (forged / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(usual.directory / "ledger.jsonl", forged / "ledger.jsonl")
    # Its manifest no longer has its own digest.
    read_error(run_cxr("diff", usual.directory, forged), code=3)


def test_a_run_that_stopped_without_a_difference_cannot_be_compared(finished_run: FinishedRuns):
    usual, stopped = finished_run(vectors()), finished_run(vectors(), fault="crash-known:4", code=3)
    finished = run_cxr("diff", usual.directory, stopped.directory, "--json")
    problem, where, _ = read_error(finished, code=3)
    assert problem == "no difference so far, but a run has no outcome"
    assert where == f"{stopped.directory}, status failed"


def test_a_run_that_parted_before_it_stopped_is_different(finished_run: FinishedRuns):
    stopped = finished_run(vectors(), fault="crash-known:4", code=3)
    code, report = diff(finished_run(vectors(train__lr=2e-3)), stopped)
    assert (code, report["verdict"]) == (1, "different")
    assert report["first_divergence"]["step"] == 0
    assert [found["field"] for found in report["differences"]] == ["train.lr"]


def test_a_run_and_an_evaluation_are_not_compared(finished_run: FinishedRuns, tmp_path: Path):
    usual = finished_run(vectors())
    (tmp_path / "manifest.json").write_text('{"schema": "cxr.evaluation/1"}')
    problem, _, _ = read_error(run_cxr("diff", usual.directory, tmp_path), code=3)
    assert problem == "not a run: this is a later evaluation of one"
