"""``cxr evaluate --against`` and ``--batch-size``: figures within, or the list of those outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import read_answer, read_error, run_cxr
from support.recipes import images, vectors
from support.runs import HEAVY, FinishedRuns, copy_run, diff


@pytest.fixture(scope="module")
def run(finished_run: FinishedRuns, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a run of vectors, to be looked at again."""
    return copy_run(finished_run(vectors()), tmp_path_factory.mktemp("against") / "run")


def test_a_golden_of_train_is_met_exactly_and_an_edited_one_is_not(
    finished_run: FinishedRuns, run: Path, tmp_path: Path
):
    golden = tmp_path / "golden.json"
    golden.write_text(finished_run(vectors()).process.stdout)
    few = ("--replicates", "50")
    met = read_answer(run_cxr("evaluate", run, "--against", golden, "--json", *few))
    assert all(one["is_within"] for one in met["against"])
    assert met["intervals"]["replicates"] == 50
    edited = json.loads(golden.read_text())
    edited["metrics"]["loss"] += 0.01
    golden.write_text(json.dumps(edited))
    finished = run_cxr("evaluate", run, "--against", golden, "--replicates", "0")
    assert finished.returncode == 1
    assert "1 of 158 figures are outside their tolerance" in finished.stdout
    asked = run_cxr("evaluate", run, "--against", golden, "--tolerance", "loss=0.02", "--json")
    assert (asked.returncode, len(read_answer(asked)["against"])) == (0, 1)
    # The end of the run is a look, and so is each of the three evaluations.
    assert (met["looks"], read_answer(asked)["looks"]) == (2, 4)


def test_what_cannot_be_held_is_said_before_anything_is_predicted(run: Path, tmp_path: Path):
    before = list((run / "evaluations").glob("*"))
    missing = run_cxr("evaluate", run, "--against", tmp_path / "none.json")
    read_error(missing, code=3)
    alone = run_cxr("evaluate", run, "--tolerance", "loss=0.1")
    assert read_error(alone, code=2)[0] == "--tolerance goes with --against"
    assert list((run / "evaluations").glob("*")) == before


def evaluate_in_batches(run: Path, size: int, root: Path) -> dict:
    """Evaluate in batches of another size; return the answer and check the exit code."""
    options = ("--batch-size", str(size), "--replicates", "0", "--data", root)
    finished = run_cxr("evaluate", run, *options, "--json")
    assert finished.returncode == 0, finished.stderr
    return read_answer(finished)


def test_another_batch_may_change_bits_under_strict_and_the_record_says_so(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    run = copy_run(finished_run(images(radiographs)), tmp_path / "run")
    found = evaluate_in_batches(run, 1, radiographs)
    assert found["batch_size"] == {"used": 1, "of_run": 64, "affects_bits": "unknown"}
    manifest = json.loads((Path(found["evaluation"]) / "manifest.json").read_bytes())
    assert manifest["batch_size"] == found["batch_size"]
    # One image at a time takes another kernel: a different sum, and the answer hides nothing.
    assert found["same_as_run"] is False
    assert run_cxr("verify", run, blocked=HEAVY).returncode == 0


def test_another_batch_never_changes_bits_under_portable(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    recipe = images(radiographs, determinism="portable")
    run = copy_run(finished_run(recipe), tmp_path / "run")
    for size in (1, 3):
        found = evaluate_in_batches(run, size, radiographs)
        assert found["same_as_run"] is True
        assert found["batch_size"]["affects_bits"] == "no"


def test_workers_change_no_bit_of_an_evaluation(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    run = copy_run(finished_run(images(radiographs)), tmp_path / "run")
    text = (run / "config.yaml").read_text()
    digests = set()
    for workers in (0, 3):
        (run / "config.yaml").write_text(text.replace("\nworkers: 1\n", f"\nworkers: {workers}\n"))
        found = evaluate_in_batches(run, 3, radiographs)
        digests.add(found["predictions_digest"])
    assert len(digests) == 1
    assert "\nworkers: 1\n" in text


def test_diff_names_another_batch_of_the_evaluation(finished_run: FinishedRuns):
    other = finished_run(vectors(evaluate__batch_size=7))
    _, report = diff(finished_run(vectors()), other)
    [found] = [one for one in report["differences"] if one["field"] == "evaluate.batch_size"]
    assert (found["a"], found["b"], found["affects_bits"]) == (64, 7, "yes")


def test_a_paired_comparison_stands_in_the_answer_only_where_it_is_asked_for(
    finished_run: FinishedRuns,
):
    a, b = finished_run(vectors()), finished_run(vectors(evaluate__batch_size=7))
    _, plain = diff(a, b)
    finished = run_cxr("diff", a.directory, b.directory, "--paired", "--json")
    answer = read_answer(finished)
    assert answer.keys() - plain.keys() == {"paired"}
    assert answer["paired"]["num_images"] == 20
    assert answer["paired"]["figures"]["accuracy"]["difference"] == pytest.approx(0.0)
    assert finished.returncode == (plain["verdict"] == "different")
