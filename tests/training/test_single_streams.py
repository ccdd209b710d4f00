"""A stream with a root of its own moves alone: what it decides changes, and nothing before that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import run_cxr
from support.recipes import images
from support.runs import FinishedRuns, Run, copy_run, diff

FIRST = {
    "init": ("parameters", "random"),
    "order": ("samples",),
    "augment": ("batch",),
    "step": ("random",),
}
"""What each stream decides first: of the initial state, and of step 0 for the others."""


@pytest.fixture
def runs(finished_run: FinishedRuns, radiographs: Path) -> dict[str, Run]:
    recipe = images(radiographs)
    moved = {name: images(radiographs, **{f"streams__{name}": 7}) for name in FIRST}
    return {"none": finished_run(recipe), **{k: finished_run(v) for k, v in moved.items()}}


@pytest.mark.parametrize("stream", FIRST)
def test_it_moves_what_it_decides_and_nothing_before(runs: dict[str, Run], stream: str):
    (initial, first), (other_initial, other_first) = (
        [line for line in runs[name].ledger if line["step"] in (-1, 0)][:2]
        for name in ("none", stream)
    )
    before, after = (other_initial, initial), (other_first, first)
    pair = before if stream == "init" else after
    for part in FIRST[stream]:
        assert pair[0][part] != pair[1][part], part
    if stream != "init":
        assert initial == other_initial
    held = {"samples", "batch", "random"} - set(FIRST[stream])
    if stream == "order":
        # Other samples are another batch.
        held -= {"batch"}
    else:
        steps = [runs[name].ledger for name in ("none", stream)]
        names = held - ({"random"} if stream == "init" else set())
        for here, there in zip(*steps, strict=True):
            assert {n: here.get(n) for n in names} == {n: there.get(n) for n in names}
    for part in held:
        assert after[0][part] == after[1][part], part
    assert runs["none"].digests[0] != runs[stream].digests[0]


def test_the_record_names_it_and_so_does_a_comparison(runs: dict[str, Run]):
    plain, moved = runs["none"], runs["order"]
    assert "streams" not in plain.manifest["seeds"]
    assert moved.manifest["seeds"]["streams"] == {"order": 7}
    assert moved.manifest["recipe"]["config_digest"] != plain.manifest["recipe"]["config_digest"]
    code, answer = diff(plain, moved)
    acting = [one for one in answer["differences"] if one["affects_bits"] == "yes"]
    assert code == 1
    assert [(one["field"], one["a"], one["b"]) for one in acting] == [("streams.order", None, 7)]


def test_a_record_that_leaves_it_out_is_found(runs: dict[str, Run], tmp_path: Path):
    from cxr.records.manifest import write_manifest

    run = copy_run(runs["order"], tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_bytes())
    del manifest["seeds"]["streams"]
    write_manifest(run, manifest)
    finished = run_cxr("verify", run)
    assert finished.returncode == 1
    assert "seeds.streams is not what config.yaml says" in finished.stdout
