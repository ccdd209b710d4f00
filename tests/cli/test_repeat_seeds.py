"""``cxr repeat --seeds``: a distribution and no verdict on bits, in processes of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cxr.digests.canonical import canonical_json
from cxr.records.manifest import seal_manifest
from support.program import Finished, read_answer, read_error, run_cxr
from support.recipes import vectors, write_recipe
from support.runs import FinishedRuns

RECIPE = vectors(data__synthetic={"train": 60, "val": 20, "test": 20, "noise": 250})


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished[str]]:
    """Three seeds, of which the run of the second was killed."""
    place = tmp_path_factory.mktemp("seeds")
    config = write_recipe(place / "recipe.yaml", RECIPE)
    options = ["--seeds", "1..3", "--jobs", "2", "--config", config, "--out", "out", "-q"]
    fault = "in-run:2=killed-predicting"
    return place / "out", run_cxr("repeat", *options, cwd=place, fault=fault)


@pytest.fixture(scope="module")
def whole(
    broken: tuple[Path, Finished[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """The same, gone on with to its end."""
    out = shutil.copytree(broken[0], tmp_path_factory.mktemp("whole") / "out")
    finished = run_cxr("repeat", "--resume", out, "--json", "-q")
    assert finished.returncode == 0, finished.stderr
    return out, read_answer(finished)


def test_a_missing_run_leaves_it_incomplete_and_the_rest_is_told(
    broken: tuple[Path, Finished[str]],
):
    out, finished = broken
    assert finished.returncode == 3
    assert finished.stdout.startswith("incomplete: 2 of 3 runs completed\n")
    assert "every stream but the split moved, seeds 1, 3" in finished.stdout
    assert max(map(len, finished.stdout.splitlines()[:-1])) <= 80
    record = json.loads((out / "repeat.json").read_bytes())
    assert (record["verdict"], record["seeds"]["missing"]) == ("incomplete", [2])
    verified = run_cxr("verify", out).stdout
    assert "run-2: the run never ended" in verified
    assert "repeat.json" not in verified


def test_seeds_give_a_distribution(whole: tuple[Path, Any], finished_run: FinishedRuns):
    out, answer = whole
    assert (answer["n"], answer["verdict"], answer["excluded_rate"]) == (3, "distribution", None)
    assert len(set(answer["outcome_digests"])) == 3
    # Each run is the one that its seed gives by itself, the one that was killed as well.
    second = finished_run({**RECIPE, "seed": 2})
    assert answer["outcome_digests"][1] == second.digests[0]
    found = answer["seeds"]
    assert (found["seeds"], found["missing"], found["only"]) == ([1, 2, 3], [], None)
    assert found["figures"]["auroc"]["std"] > 0
    assert found["ensemble"]["num_runs"] == 3
    assert found["agreement"]["num_images"] == 20
    assert {one["path"].partition("/")[0] for one in found["agreement"]["worst"]} == {"test"}
    record = json.loads((out / "repeat.json").read_bytes())
    assert record["seeds"] == found
    asked = {"kind": "seeds", "seeds": [1, 2, 3], "only": None, "root": 1}
    assert record["series"] == asked


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("seeds", lambda answer: answer["seeds"]["figures"]["auroc"].update(mean=0.5)),
        ("seeds", lambda answer: answer["seeds"]["agreement"]["worst"].pop()),
        ("verdict", lambda answer: answer.update(verdict="zero-variance")),
    ],
    ids=["a figure", "an image", "the verdict"],
)
def test_an_edited_answer_is_found(
    whole: tuple[Path, Any], tmp_path: Path, field: str, change: Any
):
    out = shutil.copytree(whole[0], tmp_path / "out")
    assert run_cxr("verify", out).returncode == 0
    answer = json.loads((out / "repeat.json").read_bytes())
    change(answer)
    (out / "repeat.json").write_bytes(canonical_json(seal_manifest(answer)))
    finished = run_cxr("verify", out)
    assert finished.returncode == 1
    assert f"{field} is not what the runs give" in finished.stdout


def test_only_one_stream_moves_from_run_to_run(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", RECIPE)
    options = ["--seeds", "5,6", "--only", "order", "--jobs", "2", "--config", config]
    finished = run_cxr("repeat", *options, "--out", tmp_path / "out", "--json", "-q")
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (0, "distribution")
    assert (answer["seeds"]["only"], answer["seeds"]["seeds"]) == ("order", [5, 6])
    initial, first = (
        [json.loads(line) for line in (Path(run) / "ledger.jsonl").read_text().splitlines()[:2]]
        for run in answer["runs"]
    )
    assert initial[0] == first[0]
    assert initial[1]["samples"] != first[1]["samples"]
    assert run_cxr("verify", tmp_path / "out").returncode == 0


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (["--seeds", "3"], "--seeds 3"),
        (["--seeds", "1,1"], "--seeds 1,1"),
        (["--only", "init"], "--only init"),
        (["--seeds", "1,2", "--only", "split"], "--only split"),
        (["--seeds", "1,2", "--vary", "threads=2"], "--seeds with --vary"),
        (["--seeds", "1,2", "-n", "2"], "cxr repeat"),
        (["--seeds", "1,2", "--stress"], "cxr repeat"),
        (["--vary", "threads=none"], "--vary threads=none"),
        (["threads=2"], "cxr repeat"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, options: list[str], where: str):
    config = write_recipe(tmp_path / "recipe.yaml", RECIPE)
    finished = run_cxr("repeat", "--config", config, "--out", tmp_path / "out", *options)
    assert read_error(finished, code=2)[1] == where
    assert not (tmp_path / "out").exists()
