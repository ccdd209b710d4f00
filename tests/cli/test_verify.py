"""``cxr verify`` names every edit of a run, and what it did not check."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.program import read_answer, run_cxr
from support.recipes import vectors
from support.runs import HEAVY, FinishedRuns, copy_run


def test_an_untouched_run_is_consistent_and_not_called_authentic(finished_run: FinishedRuns):
    run = finished_run(vectors())
    finished = run_cxr("verify", run.directory, blocked=HEAVY)
    assert (finished.returncode, finished.stderr) == (0, "")
    # One more where the sources under test have uncommitted changes: the patch.
    num_files = 14 + (run.directory / "code.patch").is_file()
    assert finished.stdout == (
        f"consistent, not authenticated: {num_files} files, all digests agree; status completed\n"
    )
    assert read_answer(run_cxr("verify", run.directory, "--json", blocked=HEAVY)) == {
        "run": str(run.directory),
        "verdict": "consistent",
        "authenticated": False,
        "status": "completed",
        "files": num_files,
        "evaluations": 0,
        "findings": [],
    }
    assert run_cxr("verify", run.directory, "-q").stdout == ""


def test_a_moved_run_is_consistent(finished_run: FinishedRuns, tmp_path: Path):
    moved = copy_run(finished_run(vectors()), tmp_path / "moved")
    assert run_cxr("verify", "moved", cwd=tmp_path).returncode == 0
    assert moved.is_dir()


def test_every_changed_file_is_named(finished_run: FinishedRuns, tmp_path: Path):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    names = list_files(run)
    for name in names:
        content = bytearray((run / name).read_bytes())
        content[len(content) // 2] ^= 1
        (run / name).write_bytes(content)
    assert names_found(run) == set(names)


def test_every_removed_file_is_named(finished_run: FinishedRuns, tmp_path: Path):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    names = list_files(run)
    for name in names:
        (run / name).unlink()
    assert names_found(run) == set(names)


def test_every_added_file_is_named(finished_run: FinishedRuns, tmp_path: Path):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    added = ["notes.txt", "checkpoints/more.json", "new/place/deep.bin", ".hidden", "run.lock.old"]
    for name in added:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("mine")
    assert names_found(run) == set(added)


def test_a_name_with_control_characters_is_shown_plainly(
    finished_run: FinishedRuns, tmp_path: Path
):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    (run / "a\x1b[2Jb\nc").touch()
    finished = run_cxr("verify", run)
    assert "\x1b" not in finished.stdout
    assert r"  a\x1b[2Jb\nc: was added" in finished.stdout


def test_a_changed_file_alone_is_named_with_what_is_wrong(
    finished_run: FinishedRuns, tmp_path: Path
):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write("\n")
    finished = run_cxr("verify", run, "-q", blocked=HEAVY)
    assert (finished.returncode, finished.stderr) == (1, "")
    assert finished.stdout == (
        f"differs: 1 finding in {run}\n"
        "  metrics.jsonl: was changed: its bytes have another digest\n"
    )


@pytest.mark.parametrize("key", ["status", "metrics", "controls", "volatile", "recipe", "seeds"])
def test_an_edit_of_the_manifest_is_named(finished_run: FinishedRuns, tmp_path: Path, key: str):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_bytes())
    manifest[key] = "edited" if key == "status" else {**manifest[key], "edited": True}
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert names_found(run) == {"manifest.json"}


def test_an_edit_that_is_sealed_again_is_still_named_by_the_other_digests(
    finished_run: FinishedRuns, tmp_path: Path
):
    from cxr.records.manifest import seal_manifest

    run = copy_run(finished_run(vectors()), tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_bytes())
    manifest["recipe"]["seed"] = 7
    (run / "manifest.json").write_text(json.dumps(seal_manifest(manifest)))
    answer = verify(run)
    assert {"path": "manifest.json", "problem": "recipe_digest is not the digest of recipe"} in (
        answer["findings"]
    )


def test_a_ledger_line_that_was_moved_is_named(finished_run: FinishedRuns, tmp_path: Path):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    lines = (run / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    lines[2], lines[3] = lines[3], lines[2]
    (run / "ledger.jsonl").write_bytes(b"".join(lines))
    problems = [found["problem"] for found in verify(run)["findings"]]
    assert any("chain breaks" in problem for problem in problems)


def test_weights_of_another_run_are_named(finished_run: FinishedRuns, tmp_path: Path):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    other = finished_run(vectors(seed=2)).directory
    shutil.copy(other / "model.safetensors", run / "model.safetensors")
    assert {found["problem"] for found in verify(run)["findings"]} == {
        "was changed: its bytes have another digest",
        "its content is not the one of weights_digest",
    }


def list_files(run: Path) -> list[str]:
    return sorted(
        path.relative_to(run).as_posix()
        for path in run.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    )


def names_found(run: Path) -> set[str]:
    return {found["path"] for found in verify(run)["findings"]}


def verify(run: Path) -> dict[str, object]:
    """Return what is found in a run that was tampered with."""
    finished = run_cxr("verify", run, "--json", blocked=HEAVY)
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (1, "differs")
    assert finished.stderr == ""
    return answer
