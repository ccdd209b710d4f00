"""A run keeps what it predicts of validation; its outcome, ledger and figures do not feel it."""

from __future__ import annotations

import json
from pathlib import Path

from cxr.records.predictions import load_predictions
from support.program import read_answer, run_cxr
from support.recipes import vectors
from support.runs import HEAVY, FinishedRuns, copy_run


def test_the_predictions_of_validation_are_no_part_of_outcome_or_ledger(
    finished_run: FinishedRuns,
):
    kept = finished_run(vectors())
    without = finished_run(vectors(), fault="no-validation-predictions")
    assert not (without.directory / "validation_predictions.csv").exists()
    assert kept.digests == without.digests
    for name in ("ledger.jsonl", "metrics.jsonl", "predictions.csv", "model.safetensors"):
        left, right = (run.directory / name for run in (kept, without))
        assert left.read_bytes() == right.read_bytes()
    metrics, others = (run.manifest["metrics"] for run in (kept, without))
    assert metrics.pop("thresholds")["chosen_on"] == "val"
    assert others.pop("thresholds")["chosen_on"] is None
    assert metrics == others


def test_they_are_of_the_chosen_weights_and_belong_to_the_record(
    finished_run: FinishedRuns, tmp_path: Path
):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    answer = read_answer(run_cxr("evaluate", run, "--split", "val", "--json"))
    again = Path(answer["evaluation"]) / "predictions.csv"
    kept = run / "validation_predictions.csv"
    assert again.read_bytes() == kept.read_bytes()
    _, rows = load_predictions(kept)
    assert len(rows) == 20
    manifest = json.loads((run / "manifest.json").read_bytes())
    assert "validation_predictions.csv" in manifest["files"]
    assert "validation_predictions.csv" not in manifest["outcome"]
    kept.write_bytes(kept.read_bytes() + b"\n")
    finished = run_cxr("verify", run, "--json", blocked=HEAVY)
    named = [one["path"] for one in read_answer(finished)["findings"]]
    assert (finished.returncode, named) == (1, ["validation_predictions.csv"])
