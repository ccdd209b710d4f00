"""A run whose images have pseudonyms is run again with their key, or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from support.program import read_answer, read_error, run_cxr
from support.recipes import images
from support.resuming import resume_run, stop_run
from support.runs import FinishedRuns, Run, copy_run

REFUSED = "the run's images have pseudonyms, and their key is not here"


@pytest.fixture
def key(shared_directory: Path) -> Path:
    file = shared_directory / "pseudonyms.key"
    if not file.exists():
        growing = file.with_suffix(".new")
        growing.write_text(hashlib.sha256(b"pseudonyms").hexdigest(), encoding="ascii")
        growing.chmod(0o600)
        growing.rename(file)
    return file


@pytest.fixture
def run(finished_run: FinishedRuns, radiographs: Path, key: Path) -> Run:
    """A short run on images with pseudonyms."""
    return finished_run(images(radiographs, data__pseudonym_key=str(key)))


@pytest.fixture
def packed(run: Run, tmp_path: Path) -> Path:
    file = tmp_path / "a.cxr.zip"
    finished = run_cxr("reproduce", "--pack", run.directory, "--out", file)
    assert finished.returncode == 0, finished.stderr
    return file


def test_the_manifest_says_that_there_was_a_key_and_not_which(run: Run, key: Path):
    assert run.manifest["pseudonyms"] is True
    assert key.name not in json.dumps(run.manifest)
    assert read_answer(run_cxr("verify", run.directory, "--json"))["verdict"] == "consistent"


def test_without_the_key_nothing_is_run_and_nothing_is_written(
    run: Run, packed: Path, radiographs: Path, tmp_path: Path
):
    alone = tmp_path / "alone" / "manifest.json"
    alone.parent.mkdir()
    shutil.copy(run.directory / "manifest.json", alone)
    for record in (packed, alone):
        for options in (("--plan",), ("--force", "--out", tmp_path / "again")):
            finished = run_cxr("reproduce", record, "--data", radiographs, *options)
            problem, _, hint = read_error(finished, code=3)
            assert problem == REFUSED
            assert "--key FILE" in hint
    assert not (tmp_path / "again").exists()


def test_with_the_key_it_is_identical(packed: Path, radiographs: Path, key: Path, tmp_path: Path):
    out = tmp_path / "again"
    finished = run_cxr(
        "reproduce", packed, "--data", radiographs, "--key", key, "--out", out, "--json"
    )
    assert read_answer(finished)["verdict"] == "identical"
    name = next(radiographs.rglob("*.jpeg")).name
    for file in filter(Path.is_file, out.rglob("*")):
        assert name.encode() not in file.read_bytes(), file
    assert json.loads((out / "run" / "manifest.json").read_bytes())["pseudonyms"] is True


def test_a_run_whose_key_was_moved_is_not_evaluated_under_real_names(
    run: Run, radiographs: Path, tmp_path: Path
):
    moved = copy_run(run, tmp_path / "moved" / "run")
    finished = run_cxr("evaluate", moved, "--data", radiographs)
    assert read_error(finished, code=3)[0].startswith("cannot read the key of the pseudonyms")
    assert not (moved / "evaluations").exists()
    finished = run_cxr("reproduce", moved, "--data", radiographs, "--out", tmp_path / "again")
    assert read_error(finished, code=3)[0] == REFUSED


def test_a_stopped_run_does_not_go_on_with_another_key(
    finished_run: FinishedRuns, radiographs: Path, key: Path, tmp_path: Path
):
    stopped = stop_run(finished_run, images(radiographs, data__pseudonym_key=str(key)), 1)
    # Its config says where the key lies, seen from the run.
    moved = copy_run(stopped, tmp_path / "runs" / "one" / "run")
    other = tmp_path / key.name
    other.write_text(hashlib.sha256(b"others").hexdigest(), encoding="ascii")
    other.chmod(0o600)
    problem, _, _ = read_error(resume_run(moved, "--data", radiographs, code=3), code=3)
    named = "the key of the pseudonyms (data.pseudonym_key)"
    assert problem == f"the run cannot go on: {named} changed since it began"


def test_a_key_that_a_run_has_no_use_for_is_refused(
    finished_run: FinishedRuns, radiographs: Path, key: Path
):
    plain = finished_run(images(radiographs)).directory
    finished = run_cxr("reproduce", plain, "--data", radiographs, "--key", key, "--plan")
    assert read_error(finished, code=2)[0].endswith("no key belongs to it")
