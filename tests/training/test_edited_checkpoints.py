"""No run goes on from an edited checkpoint, and none that did not go on to its end seals one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_file
from support.program import read_answer, read_error, run_cxr
from support.recipes import STEPS_PER_EPOCH, vectors
from support.resuming import kill, require_same_as_never_stopped, resume_run, stop_run
from support.runs import HEAVY, FinishedRuns, copy_run

NEWEST = "step-000000003"


def edit_selection_alone(run: Path) -> None:
    """Let the best epoch so far look better than any other can be; leave the JSON's digest."""
    edit_json(run, lambda content: content["selection"].update(figure=2.0), seal=False)


def edit_selection(run: Path) -> None:
    """The same, with the JSON's digest made anew."""
    edit_json(run, lambda content: content["selection"].update(figure=2.0))


def edit_moments(run: Path) -> None:
    """Let the optimizer have forgotten its steps; make all digests of the checkpoint anew."""
    edit_tensors(run, "optimizer/", torch.zeros_like)


def edit_best_weights(run: Path) -> None:
    """Put other weights in the place of the best ones; make all digests of the checkpoint anew."""
    edit_tensors(run, "best/", torch.ones_like)


def edit_tensors(run: Path, prefix: str, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    file = run / "checkpoints" / f"{NEWEST}.safetensors"
    tensors = {
        name: change(value) if name.startswith(prefix) else value
        for name, value in safetensors.torch.load_file(file).items()
    }
    safetensors.torch.save_file(tensors, file)
    edit_json(run, lambda content: content.update(tensors=digest_file(file)))


def edit_json(run: Path, change: Callable[[dict[str, Any]], None], *, seal: bool = True) -> None:
    file = run / "checkpoints" / f"{NEWEST}.json"
    content = json.loads(file.read_bytes())
    change(content)
    if seal:
        content = {name: value for name, value in content.items() if name != "digest"}
        content["digest"] = digest_json(content)
    file.write_bytes(canonical_json(content) + b"\n")


@pytest.fixture
def stopped(finished_run: FinishedRuns, tmp_path: Path) -> Path:
    """A run that was stopped at the first step of its second epoch."""
    return copy_run(stop_run(finished_run, vectors(), STEPS_PER_EPOCH), tmp_path / "stopped")


EDITS = [edit_selection_alone, edit_selection, edit_moments, edit_best_weights]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_checkpoint_of_a_stopped_run_is_named_and_passed_over(
    finished_run: FinishedRuns, stopped: Path, edit: Callable[[Path], None]
):
    edit(stopped)
    failed = resume_run(stopped, fault="signal:0", code=130)
    assert f"a checkpoint was changed since the run stopped: {NEWEST}.json" in failed.stderr
    # A going on that was stopped again has not sealed the edit.
    assert not list((stopped / "checkpoints").iterdir())
    require_same_as_never_stopped(stopped, finished_run(vectors()))


@pytest.mark.parametrize("edit", [edit_selection_alone, edit_moments, edit_best_weights])
def test_an_edited_checkpoint_of_a_killed_run_is_named_and_passed_over(
    finished_run: FinishedRuns, tmp_path: Path, edit: Callable[[Path], None]
):
    killed = kill(tmp_path, "killed-inside:ledger.jsonl*6")
    edit(killed)
    failed = resume_run(killed, fault="signal:0", code=130)
    assert f": {NEWEST}.json; looking for the one before it" in failed.stderr
    assert not list((killed / "checkpoints").iterdir())
    require_same_as_never_stopped(killed, finished_run(vectors()))


def test_an_edited_checkpoint_whose_ledger_line_was_removed_is_not_sealed(stopped: Path):
    edit_moments(stopped)
    lines = (stopped / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (stopped / "ledger.jsonl").write_bytes(b"".join(lines[:-1]))
    before = (stopped / "manifest.json").read_bytes()
    problem, _, _ = read_error(resume_run(stopped, code=3), code=3)
    assert problem == "the run cannot go on: ledger.jsonl was changed"
    assert (stopped / "manifest.json").read_bytes() == before
    verified = run_cxr("verify", stopped, "--json", blocked=HEAVY)
    assert verified.returncode == 1
    named = {finding["path"] for finding in read_answer(verified)["findings"]}
    assert {"ledger.jsonl", f"checkpoints/{NEWEST}.json"} <= named


def test_a_killed_run_that_lost_ledger_lines_goes_on_from_where_the_ledger_ends(
    finished_run: FinishedRuns, tmp_path: Path
):
    killed = kill(tmp_path, "killed-inside:ledger.jsonl*6")
    edit_moments(killed)
    lines = (killed / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (killed / "ledger.jsonl").write_bytes(b"".join(lines[:3]))
    require_same_as_never_stopped(killed, finished_run(vectors()))


@pytest.mark.parametrize("edit", [edit_moments, edit_best_weights])
def test_a_replay_passes_over_an_edited_checkpoint(
    finished_run: FinishedRuns, tmp_path: Path, edit: Callable[[Path], None]
):
    recipe = vectors(train__keep_checkpoints=9)
    run = copy_run(finished_run(recipe), tmp_path / "run")
    edit(run)
    answer = tmp_path / "answer.json"
    finished = run_cxr("replay", run, "--step", STEPS_PER_EPOCH + 1, "--answer", answer)
    assert finished.returncode == 0, finished.stderr
    found = json.loads(answer.read_bytes())
    assert (found["begun_at"], found["left_at"]) == (-1, None)
