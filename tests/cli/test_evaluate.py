"""``cxr evaluate`` looks at a run again and leaves it as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cxr.records.manifest import seal_manifest
from support.program import Finished, read_answer, read_error, run_cxr
from support.recipes import images, vectors
from support.runs import HEAVY, FinishedRuns, copy_run


@pytest.fixture(scope="module")
def evaluated(
    finished_run: FinishedRuns, radiographs: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Finished[str], Finished[str]]:
    """A copy of a run, moved, with its data elsewhere, evaluated on its split and on another."""
    place = tmp_path_factory.mktemp("evaluated")
    run = copy_run(finished_run(images(radiographs)), place / "a" / "b" / "run")
    root = shutil.copytree(radiographs, place / "images")
    same = run_cxr("evaluate", run, "--data", "images", "--json", cwd=place)
    other = run_cxr("evaluate", run, "--data", root, "--split", "val")
    return run, same, other


def test_the_same_split_gives_the_same_bits(evaluated: tuple[Path, Finished[str], Finished[str]]):
    run, same, _ = evaluated
    answer = read_answer(same)
    assert same.returncode == 0
    assert answer.keys() == {
        "run",
        "evaluation",
        "split",
        "predictions_digest",
        "same_as_run",
        "batch_size",
        "looks",
        "metrics",
        "intervals",
    }
    assert (answer["same_as_run"], answer["split"], answer["run"]) == (True, "test", str(run))
    manifest = json.loads((run / "manifest.json").read_bytes())
    assert answer["metrics"] == manifest["metrics"]
    assert answer["predictions_digest"] == manifest["outcome"]["predictions_digest"]


def test_another_split_is_shown_with_its_classes(
    evaluated: tuple[Path, Finished[str], Finished[str]],
):
    run, _, other = evaluated
    assert other.returncode == 0, other.stderr
    (place,) = (run / "evaluations").glob("val-*")
    assert other.stdout.startswith(f"evaluated: {place}\nval, 8 images:\n")
    lines = [" ".join(line.split()) for line in other.stdout.splitlines()]
    assert "figure value 95 % interval" in lines
    assert "class images precision recall specificity f1" in lines
    assert sum(line.startswith("NORMAL 4 ") for line in lines) == 1
    assert "look 1 at the val split of this run" in lines
    assert max(map(len, other.stdout.splitlines()[1:])) <= 80
    assert "predictions are" not in other.stdout


def test_the_run_itself_does_not_change(
    evaluated: tuple[Path, Finished[str], Finished[str]],
    finished_run: FinishedRuns,
    radiographs: Path,
):
    run, _, _ = evaluated
    before = finished_run(images(radiographs)).directory
    files = [path for path in before.rglob("*") if path.is_file()]
    for path in files:
        assert (run / path.relative_to(before)).read_bytes() == path.read_bytes()
    assert sorted(path.name for path in run.iterdir()) == sorted(
        [*(path.name for path in before.iterdir()), "evaluations"]
    )
    assert run_cxr("verify", run, blocked=HEAVY).returncode == 0


def test_an_evaluation_has_a_manifest_that_names_the_run(
    evaluated: tuple[Path, Finished[str], Finished[str]], tmp_path: Path
):
    run, same, _ = evaluated
    place = Path(read_answer(same)["evaluation"])
    if not place.is_absolute():
        place = run.parents[2] / place
    manifest = json.loads((place / "manifest.json").read_bytes())
    of_run = json.loads((run / "manifest.json").read_bytes())
    assert manifest["run"] == {key: of_run[key] for key in ("manifest_digest", "outcome_digest")}
    assert (place / "predictions.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    # Its intervals are SciPy's work, whose BLAS computed no prediction.
    assert manifest["intervals"] is not None
    assert manifest["environment_digest"] == of_run["environment_digest"]
    assert run_cxr("verify", place, blocked=HEAVY).returncode == 0
    edited = shutil.copytree(place, tmp_path / "edited")
    (edited / "predictions.csv").write_text("edited")
    assert run_cxr("verify", edited, blocked=HEAVY).returncode == 1


def test_a_run_that_did_not_complete_is_refused(finished_run: FinishedRuns):
    from support.recipes import vectors

    stopped = finished_run(vectors(), fault="crash-known:4", code=3)
    problem, where, _ = read_error(run_cxr("evaluate", stopped.directory), code=3)
    assert problem == "the run did not complete: its status is failed"
    assert where == str(stopped.directory)


@pytest.mark.parametrize("seal", [False, True], ids=["edited", "edited and sealed"])
def test_an_edited_manifest_is_refused(finished_run: FinishedRuns, tmp_path: Path, *, seal: bool):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_bytes())
    del manifest["outcome"]["weights_digest"]
    (run / "manifest.json").write_text(json.dumps(seal_manifest(manifest) if seal else manifest))
    problem, where, _ = read_error(run_cxr("evaluate", run), code=3)
    assert ("lacks or misspells outcome.weights_digest" if seal else "was edited") in problem
    assert where == str(run / "manifest.json")
    assert not (run / "evaluations").exists()


def test_a_run_with_an_evaluation_verifies_as_a_whole(
    evaluated: tuple[Path, Finished[str], Finished[str]],
):
    run, _, _ = evaluated
    answer = read_answer(run_cxr("verify", run, "--json", blocked=HEAVY))
    assert (answer["verdict"], answer["evaluations"]) == ("consistent", 2)
    (place,) = (run / "evaluations").glob("val-*")
    manifest = json.loads((place / "manifest.json").read_bytes())
    assert manifest["determinism"] == "strict"
    assert manifest["code_digest"].startswith("sha256:")
    assert (manifest["ops_without_deterministic_kernel"], manifest["controls_untaken"]) == ({}, [])
    assert sorted(manifest["files"]) == ["env.json", "predictions.csv"]


def test_an_edited_interval_is_found_though_the_record_was_sealed_again(
    evaluated: tuple[Path, Finished[str], Finished[str]], tmp_path: Path
):
    run = shutil.copytree(evaluated[0], tmp_path / "run")
    (place,) = (run / "evaluations").glob("test-*")
    finished = run_cxr("verify", run)
    assert (finished.returncode, finished.stdout.count("\n")) == (0, 1)
    manifest = json.loads((place / "manifest.json").read_bytes())
    manifest["intervals"]["whole"]["loss"]["high"] *= 0.75
    (place / "manifest.json").write_text(json.dumps(seal_manifest(manifest)))
    finished = run_cxr("verify", run)
    assert finished.returncode == 1
    name = place.relative_to(run)
    said = "intervals.whole.loss is not what the predictions give"
    assert f"  {name}/manifest.json: {said}\n" in finished.stdout
    # Without the libraries that it takes, nobody is told that it was checked.
    blocked = run_cxr("verify", run, "--json", blocked=HEAVY)
    answer = read_answer(blocked)
    assert (blocked.returncode, answer["findings"]) == (0, [])
    told = [one for one in answer["unchecked"] if one["path"] == f"{name}/manifest.json"]
    assert [one["problem"] for one in told] == ["intervals: NumPy or SciPy cannot be loaded here"]


def test_other_data_is_refused(finished_run: FinishedRuns, radiographs: Path, tmp_path: Path):
    run = copy_run(finished_run(images(radiographs)), tmp_path / "run")
    root = Path(shutil.copytree(radiographs, tmp_path / "images"))
    first = min((root / "test" / "NORMAL").iterdir())
    first.write_bytes(first.read_bytes() + b"\0")
    finished = run_cxr("evaluate", run, "--data", root, "--json")
    problem, where, hint = read_error(finished, code=3)
    assert problem == "the data set is not the one that the run used"
    assert where == str(root)
    assert "data.lock.json" in hint
    assert not (run / "evaluations").exists()


def test_other_weights_are_refused(finished_run: FinishedRuns, radiographs: Path, tmp_path: Path):
    run = copy_run(finished_run(images(radiographs)), tmp_path / "run")
    other = finished_run(images(radiographs), fault="no-decoding").directory
    checkpoint = max((other / "checkpoints").glob("*.safetensors"))
    shutil.copy(checkpoint, run / "model.safetensors")
    finished = run_cxr("evaluate", run, "--data", radiographs, "--json")
    problem, where, _ = read_error(finished, code=3)
    assert problem == "the weights are not those of the run's outcome"
    assert where == str(run / "model.safetensors")
