"""A portable run that was published predicts, once fetched, as runs with other threads do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from support.hub_server import running_hub
from support.program import read_answer, run_cxr
from support.recipes import images
from support.releases import REPO, TAG, set_changed_code
from support.runs import HEAVY, FinishedRuns, copy_run

RECIPE = {
    "determinism": "portable",
    "train": {"epochs": 1, "batch_size": 4},
    "evaluate": {"batch_size": 3},
}
"""As the tests of exports have it, so that it is trained once."""


def predict(place: Path, directory: Path, threads: int) -> dict[str, Any]:
    env = {"OMP_NUM_THREADS": f"{threads}", "MKL_NUM_THREADS": f"{threads}"}
    found = read_answer(run_cxr("predict", place, directory, "--json", env=env))
    assert len({tuple(one["logits"]) for one in found["images"]}) > 1
    return found


def test_a_fetched_run_gives_the_bits_of_the_original_at_another_number_of_threads(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    original = finished_run(images(radiographs, **RECIPE)).directory
    other = finished_run(images(radiographs, name="other", threads=3, **RECIPE))
    run = copy_run(other, tmp_path / "run")
    set_changed_code(run, dirty=False)
    with running_hub() as hub:
        env = hub.environment
        options = ("--tag", TAG, "--data", radiographs, "--yes", "--json")
        sent = run_cxr("publish", run, REPO, *options, env=env)
        fetched = run_cxr("fetch", f"{REPO}@{TAG}", cwd=tmp_path, env=env)
    assert sent.returncode == 0, sent.stderr
    assert read_answer(sent)["verdict"] == "published"
    assert fetched.returncode == 0, fetched.stderr
    release = tmp_path / f"model@{TAG}"
    assert yaml.safe_load((release / "recipe.yaml").read_text())["threads"] == 3
    answers = [
        predict(original, radiographs / "test", 1),
        predict(release, radiographs / "test", 3),
    ]
    assert answers[0]["images"] == answers[1]["images"]
    assert answers[0]["outcome_digest"] == answers[1]["outcome_digest"]
    assert run_cxr("verify", release, blocked=HEAVY).returncode == 0
