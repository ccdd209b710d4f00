"""At the level ``portable`` one recipe has one outcome, whatever computes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cxr.digests.files import digest_file
from cxr.models.weights import load_tensors
from support.program import read_answer, run_cxr
from support.recipes import images
from support.runs import FinishedRuns, Run

ROOT = Path(__file__).parents[2]

GOLDEN = "sha256:88dafc414f6c4367747b7f4f029ba602cb018cb8330330320adec0d22d34a446"
"""Outcome of arithmetic version 1 with this recipe: another one is another version."""

OTHER_MACHINE = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "CXR_PORTABLE_PRODUCTS": "int8",
}
OTHER_CHOICES = {"threads": 3, "workers": 0, "evaluate__batch_size": 7}


def train(finished_run: FinishedRuns, radiographs: Path, level: str, **changes: Any) -> list[Run]:
    """Train here, and as another machine would, with choices that are each user's own."""
    recipe = images(radiographs, determinism=level, **changes)
    other = images(radiographs, determinism=level, name="other", **OTHER_CHOICES, **changes)
    return [
        finished_run(recipe, env={"CXR_PORTABLE_PRODUCTS": "float64"}),
        finished_run(other, env=OTHER_MACHINE),
    ]


@pytest.fixture
def runs(finished_run: FinishedRuns, radiographs: Path) -> list[Run]:
    return train(finished_run, radiographs, "portable", train__double_every=3)


def test_a_recipe_has_one_outcome_on_different_machines(runs: list[Run]):
    here, there = (run.manifest for run in runs)
    assert here["outcome_digest"] == there["outcome_digest"] == GOLDEN
    assert here["trace_digest"] == there["trace_digest"]
    assert here["recipe_digest"] == there["recipe_digest"]
    assert here["environment_digest"] == there["environment_digest"]
    assert here["metrics"] == there["metrics"]


def test_the_same_differences_change_the_bits_of_strict(
    finished_run: FinishedRuns, radiographs: Path
):
    """Otherwise the test above would show nothing."""
    here, there = (run.manifest for run in train(finished_run, radiographs, "strict"))
    assert here["outcome_digest"] != there["outcome_digest"]


def test_only_a_portable_recipe_has_the_version_of_the_arithmetic(
    runs: list[Run], finished_run: FinishedRuns, radiographs: Path
):
    strict = train(finished_run, radiographs, "strict")[0]
    assert runs[0].manifest["recipe"]["arithmetic"] == 2
    assert "arithmetic" not in strict.manifest["recipe"]


def test_steps_are_doubled_replayed_and_traced_like_any_other(runs: list[Run], tmp_path: Path):
    assert runs[0].manifest["doubled_steps"]["doubled"] == 2
    assert runs[0].manifest["doubled_steps"]["mismatched"] == 0
    answer = tmp_path / "ops.json"
    options = ("--step", "4", "--ops", "--answer", answer)
    assert run_cxr("replay", runs[0].directory, *options).returncode == 0
    found = json.loads(answer.read_text(encoding="utf-8"))
    assert found["left_at"] is None
    ops = [one["op"] for one in found["ops"]]
    assert {"aten.convolution.default", "aten.convolution_backward.default"} <= set(ops)


def test_an_evaluation_elsewhere_gives_the_predictions_of_the_run(runs: list[Run]):
    finished = run_cxr("evaluate", runs[0].directory, "--json", env=OTHER_MACHINE)
    assert read_answer(finished)["same_as_run"] is True


def test_given_weights_are_loaded_and_their_frozen_backbone_is_left_alone(
    runs: list[Run], finished_run: FinishedRuns, radiographs: Path
):
    file = runs[0].directory / "model.safetensors"
    given = {"source": "file", "path": str(file), "sha256": digest_file(file)}
    here, there = train(
        finished_run,
        radiographs,
        "portable",
        train__epochs=1,
        model__weights=given,
        model__freeze="backbone",
        model__drop_rate=0.0,
    )
    assert here.manifest["outcome_digest"] == there.manifest["outcome_digest"] != GOLDEN
    before, after = (load_tensors(run.directory / "model.safetensors") for run in (runs[0], here))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_two_slices_are_another_recipe_with_one_outcome(
    runs: list[Run], finished_run: FinishedRuns, radiographs: Path
):
    here, there = train(finished_run, radiographs, "portable", train__epochs=1, portable__slices=2)
    assert here.manifest["config"]["recipe"]["portable.slices"] == 2
    assert here.manifest["outcome_digest"] == there.manifest["outcome_digest"]
    assert here.manifest["trace_digest"] == there.manifest["trace_digest"]
    # The first weights are the same, and all that is computed from them is not.
    usual, other = runs[0].ledger, here.ledger
    assert usual[0]["parameters"] == other[0]["parameters"]
    assert usual[1]["batch"] == other[1]["batch"]
    assert usual[1]["loss"] != other[1]["loss"]
    answer = read_answer(run_cxr("evaluate", here.directory, "--json", env=OTHER_MACHINE))
    assert answer["same_as_run"] is True


def test_the_readme_says_what_everybody_gets(tmp_path: Path):
    config = ROOT / "configs/sample_portable.yaml"
    ran = run_cxr("train", "--config", config, "--out", tmp_path / "run", "--json", "-q")
    outcome = read_answer(ran)["outcome_digest"]
    for page in ("README.md", "docs/portable.md"):
        assert outcome in (ROOT / page).read_text(encoding="utf-8")
