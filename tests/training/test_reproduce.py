"""A recorded run is trained again, or what keeps it from being the same is named beforehand."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_tree
from cxr.records.manifest import seal_manifest
from support.checkouts import check_cxr_out, commit_all, git, run_from
from support.program import (
    Finished,
    read_answer,
    read_error,
    run_cxr,
    started_cxr,
    wait_until,
)
from support.recipes import images, vectors, write_recipe
from support.runs import FinishedRuns, Run, copy_run

CHANGE_OF_BITS = ("training/optimizer.py", 'group["lr"] = lr', 'group["lr"] = lr * 1.5')


def reproduce(record: Path, out: Path, *options: str | Path, **how: Any) -> Finished[str]:
    """Reproduce a record and return what the process said."""
    return run_cxr("reproduce", record, "--out", out, "--json", "-q", *options, **how)


def plan(record: Path, *options: str | Path, **how: Any) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code and the items of a plan."""
    finished = run_cxr("reproduce", record, "--plan", "--json", *options, **how)
    return finished.returncode, read_answer(finished)["plan"]["items"]


def digests(directory: Path) -> tuple[str, str]:
    """Return outcome and trace of a run."""
    manifest = json.loads((directory / "manifest.json").read_bytes())
    return manifest["outcome_digest"], manifest["trace_digest"]


def edit_environment(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a run recorded of its environment, and make every digest anew."""
    path = run / "env.json"
    capture = json.loads(path.read_bytes())
    manifest = json.loads((run / "manifest.json").read_bytes())
    change(capture)
    path.write_bytes(canonical_json(capture) + b"\n")
    for name in manifest["environment"]:
        group, _, fact = name.partition(".")
        manifest["environment"][name] = capture[group][fact]
    manifest["environment_digest"] = digest_json(manifest["environment"])
    manifest["libraries"] = capture["packages"]
    manifest["files"]["env.json"] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    (run / "manifest.json").write_bytes(canonical_json(seal_manifest(manifest)) + b"\n")


@pytest.fixture
def run(finished_run: FinishedRuns) -> Run:
    """A short run on drawn vectors."""
    return finished_run(vectors())


def test_a_run_comes_out_identical_and_the_record_says_of_what(run: Run, tmp_path: Path):
    finished = reproduce(run.directory, tmp_path / "again")
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (0, "identical")
    assert answer["plan"]["items"] == []
    assert digests(tmp_path / "again" / "run") == run.digests
    record = json.loads((tmp_path / "again" / "reproduction.json").read_bytes())
    assert record["of"]["manifest_digest"] == run.manifest["manifest_digest"]
    verified = run_cxr("verify", tmp_path / "again", "--json")
    assert (verified.returncode, read_answer(verified)["verdict"]) == (0, "consistent")


def test_the_recorded_run_stays_as_it_was(run: Run, tmp_path: Path):
    before = {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()}
    reproduce(run.directory, tmp_path / "again")
    after = {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()}
    assert after == before


def test_a_manifest_alone_is_enough(run: Run, tmp_path: Path):
    alone = shutil.copy(run.directory / "manifest.json", tmp_path / "somebody-sent-me.json")
    finished = reproduce(Path(alone), tmp_path / "again")
    assert (finished.returncode, read_answer(finished)["verdict"]) == (0, "identical")
    assert digests(tmp_path / "again" / "run") == run.digests


def test_a_changed_image_is_named_before_anything_runs(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    run = finished_run(images(radiographs))
    moved = shutil.copytree(radiographs, tmp_path / "moved")
    assert plan(run.directory, "--data", moved) == (0, [])
    path = min((moved / "train" / "PNEUMONIA").glob("*.png"))
    with Image.open(path) as image:
        image.putpixel((3, 3), 255 - image.getpixel((3, 3)))
        image.save(path)
    code, items = plan(run.directory, "--data", moved)
    assert code == 1
    assert [(item["part"], item["field"], item["in_the_way"]) for item in items] == [
        ("data", path.relative_to(moved).as_posix(), True)
    ]
    finished = reproduce(run.directory, tmp_path / "again", "--data", moved)
    assert (finished.returncode, read_answer(finished)["verdict"]) == (3, "blocked")
    assert not (tmp_path / "again").exists()
    forced = reproduce(run.directory, tmp_path / "again", "--data", moved, "--force")
    answer = read_answer(forced)
    assert (forced.returncode, answer["verdict"]) == (1, "different")
    assert answer["diff"]["first_divergence"]["step"] >= 0


def test_a_data_set_that_is_not_there_is_one_thing_in_the_way(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    run = finished_run(images(radiographs))
    elsewhere = copy_run(run, tmp_path / "a" / "b" / "run")
    code, items = plan(elsewhere)
    assert (code, [item["field"] for item in items]) == (1, ["data.root"])
    assert "--data DIR" in items[0]["do"]
    finished = reproduce(elsewhere, tmp_path / "again", "--data", radiographs)
    assert (finished.returncode, read_answer(finished)["verdict"]) == (0, "identical")


def test_of_a_manifest_alone_other_data_are_known_by_their_digest(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    run = finished_run(images(radiographs))
    alone = Path(shutil.copy(run.directory / "manifest.json", tmp_path / "manifest.json"))
    assert [item["field"] for item in plan(alone)[1]] == ["data.root"]
    moved = shutil.copytree(radiographs, tmp_path / "moved")
    assert plan(alone, "--data", moved) == (0, [])
    min((moved / "test" / "NORMAL").iterdir()).unlink()
    assert [item["field"] for item in plan(alone, "--data", moved)[1]] == ["data_digest"]


def test_variables_by_which_kernels_were_chosen_are_put_right(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    recipe = images(radiographs)
    plain, chosen = (
        finished_run(recipe),
        finished_run(recipe, env={"ATEN_CPU_CAPABILITY": "default"}, tag="chosen"),
    )
    assert plain.digests != chosen.digests
    code, items = plan(chosen.directory)
    assert (code, [(item["field"], item["remedy"]) for item in items]) == (
        0,
        [("variables.ATEN_CPU_CAPABILITY", "set")],
    )
    finished = reproduce(chosen.directory, tmp_path / "again")
    assert read_answer(finished)["verdict"] == "identical"
    # And the other way round: what was not set is taken away.
    finished = reproduce(
        plain.directory, tmp_path / "plain", env={"ATEN_CPU_CAPABILITY": "default"}
    )
    assert read_answer(finished)["verdict"] == "identical"


def test_another_processor_is_in_the_way_until_it_is_forced(run: Run, tmp_path: Path):
    other = copy_run(run, tmp_path / "other")
    edit_environment(other, lambda capture: capture["cpu"].update(model="Another Processor"))
    code, items = plan(other)
    assert (code, [item["field"] for item in items]) == (1, ["cpu.model"])
    finished = reproduce(other, tmp_path / "again")
    assert (finished.returncode, read_answer(finished)["verdict"]) == (3, "blocked")
    forced = reproduce(other, tmp_path / "again", "--force")
    assert (forced.returncode, read_answer(forced)["verdict"]) == (0, "identical")


def test_what_does_not_affect_bits_is_told_and_not_in_the_way(run: Run, tmp_path: Path):
    other = copy_run(run, tmp_path / "other")
    edit_environment(other, lambda capture: capture["os"].update(release="1.2.3"))
    code, items = plan(other)
    assert (code, [(item["field"], item["in_the_way"]) for item in items]) == (
        0,
        [("os.release", False)],
    )


def test_another_version_of_torch_is_in_the_way_and_says_what_to_do(run: Run, tmp_path: Path):
    other = copy_run(run, tmp_path / "other")
    edit_environment(other, lambda capture: capture["packages"].update(torch="2.7.1"))
    code, (item,) = plan(other)
    assert (code, item["field"], item["expected"]) == (1, "packages.torch", "2.7.1")
    assert "torch==2.7.1" in item["do"]
    assert "--sync" in item["do"]


@pytest.fixture
def changed_checkout(tmp_path: Path) -> Path:
    """The package in a repository whose uncommitted change alters every bit."""
    package = check_cxr_out(tmp_path / "repository")
    name, before, after = CHANGE_OF_BITS
    text = (package / name).read_text()
    assert before in text
    (package / name).write_text(text.replace(before, after))
    return package


@pytest.fixture
def changed_run(changed_checkout: Path, tmp_path: Path) -> Path:
    """What the changed sources trained."""
    recipe = write_recipe(tmp_path / "recipe.yaml", vectors())
    out = tmp_path / "changed"
    finished = run_cxr(
        "train", "--config", recipe, "--out", out, "-q", env=run_from(changed_checkout)
    )
    assert finished.returncode == 0, finished.stderr
    return out


def test_uncommitted_sources_are_had_again_in_a_scratch_checkout(
    run: Run, changed_run: Path, changed_checkout: Path, tmp_path: Path
):
    manifest = json.loads((changed_run / "manifest.json").read_bytes())
    assert digests(changed_run) != run.digests
    assert manifest["code"]["dirty"] is True
    assert manifest["code"]["patch_withheld"] is None
    assert CHANGE_OF_BITS[2].encode() in (changed_run / "code.patch").read_bytes()
    repository = changed_checkout.parents[1]
    git(repository, "checkout", "--quiet", "--", ".")
    later = commit_all_with(repository, "# a later commit\n")
    finished = reproduce(changed_run, tmp_path / "again", "--repository", repository)
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (0, "identical")
    assert answer["plan"]["sources"].endswith("and the stored patch, checked out aside")
    assert (git(repository, "rev-parse", "HEAD"), git(repository, "status", "--porcelain")) == (
        later,
        "",
    )


def commit_all_with(repository: Path, text: str) -> str:
    """Commit another change of a source."""
    with (repository / "src" / "cxr" / "errors.py").open("a") as stream:
        stream.write(text)
    return commit_all(repository)


def test_sources_that_are_nowhere_are_in_the_way(changed_run: Path, tmp_path: Path):
    code, items = plan(changed_run, "--repository", tmp_path)
    (item,) = [item for item in items if item["part"] == "code"]
    assert (code, item["field"], item["in_the_way"]) == (1, "code_digest", True)
    assert "is in no repository here" in item["do"]
    forced = reproduce(changed_run, tmp_path / "again", "--repository", tmp_path, "--force")
    assert read_answer(forced)["verdict"] == "different"


def test_a_packed_run_is_reproduced_where_its_checkout_is_gone(
    changed_run: Path, changed_checkout: Path, tmp_path: Path
):
    packed = tmp_path / "packed.cxr.zip"
    finished = run_cxr(
        "reproduce", "--pack", changed_run, "--out", packed, "-q", env=run_from(changed_checkout)
    )
    assert finished.returncode == 0, finished.stderr
    wanted = digests(changed_run)
    shutil.rmtree(changed_checkout.parents[1])
    shutil.rmtree(changed_run)
    fresh = check_cxr_out(tmp_path / "fresh")
    # Code that came along is not run, and not imported, before that is asked for.
    code, items = plan(packed, env=run_from(fresh))
    assert (code, [item["field"] for item in items]) == (1, ["code_digest"])
    assert "--trust" in items[0]["do"]
    finished = reproduce(packed, tmp_path / "again", "--trust", env=run_from(fresh))
    answer = read_answer(finished)
    assert (finished.returncode, answer["verdict"]) == (0, "identical")
    assert answer["plan"]["sources"] == "those packed with the run"
    assert digests(tmp_path / "again" / "run") == wanted
    verified = run_cxr("verify", tmp_path / "again")
    assert verified.returncode == 0, verified.stdout
    (tmp_path / "again" / "record" / "source" / "cxr" / "errors.py").write_text("# edited\n")
    (tmp_path / "again" / "record" / "ledger.jsonl").unlink()
    (tmp_path / "again" / "record" / "junk").touch()
    findings = read_answer(run_cxr("verify", tmp_path / "again", "--json"))["findings"]
    assert [finding["path"] for finding in findings] == [
        "record/ledger.jsonl",
        "record/source/cxr/errors.py",
        "record/junk",
    ]


def test_code_in_a_packed_run_is_not_run_by_a_plan(changed_checkout: Path, tmp_path: Path):
    marks = tmp_path / "it-ran"
    with (changed_checkout / "errors.py").open("a") as stream:
        stream.write(f"open({str(marks)!r}, 'a').close()\n")
    evil = tmp_path / "evil"
    recipe = write_recipe(tmp_path / "evil.yaml", vectors())
    run_cxr("train", "--config", recipe, "--out", evil, "-q", env=run_from(changed_checkout))
    packed = tmp_path / "evil.zip"
    run_cxr("reproduce", "--pack", evil, "--out", packed, "-q", env=run_from(changed_checkout))
    shutil.rmtree(changed_checkout.parents[1])
    marks.unlink()
    assert plan(packed)[0] == 1
    forced = reproduce(packed, tmp_path / "again", "--force")
    assert read_answer(forced)["verdict"] == "different"
    assert not marks.exists()
    reproduce(packed, tmp_path / "trusted", "--trust")
    assert marks.exists()


def test_a_manifest_cannot_set_variables_that_load_code(run: Run, tmp_path: Path):
    marks = tmp_path / "it-ran"
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "sitecustomize.py").write_text(f"open({str(marks)!r}, 'a').close()\n")
    manifest = run.manifest
    planted = {"PYTHONPATH": str(tmp_path / "evil"), "LD_PRELOAD": "evil.so", "A=B": "c"}
    manifest["controls"] |= {**planted, "PYTHONSTARTUP": "x", "MKL_CBWR": "a\0b"}
    (tmp_path / "manifest.json").write_bytes(canonical_json(seal_manifest(manifest)))
    assert plan(tmp_path / "manifest.json") == (0, [])
    assert not marks.exists()


def test_a_child_that_fails_is_no_verdict(run: Run, tmp_path: Path):
    package = check_cxr_out(tmp_path / "repository")
    with (package / "training" / "run.py").open("a") as stream:
        stream.write("\n\ndef train(config, *, out, progress):\n    raise SystemExit(1)\n")
    commit_all(package.parents[1])
    manifest = run.manifest
    digest = digest_tree(package, package.rglob("*.py"))
    manifest["recipe"]["code_digest"] = digest
    manifest["recipe_digest"] = digest_json(manifest["recipe"])
    commit = git(package.parents[1], "rev-parse", "HEAD")
    manifest["code"] |= {"commit": commit, "digest": digest, "dirty": False}
    path = tmp_path / "manifest.json"
    path.write_bytes(canonical_json(seal_manifest(manifest)))
    finished = reproduce(path, tmp_path / "again", "--repository", package.parents[1])
    problem, *_ = read_error(finished, code=3)
    assert problem == "the process that trained was ended with exit code 1"
    assert finished.stdout == ""


def test_the_same_run_is_packed_into_the_same_bytes(run: Run, tmp_path: Path):
    for name in ("a", "b"):
        run_cxr("reproduce", "--pack", run.directory, "--out", tmp_path / name, "-q")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_no_image_is_packed(finished_run: FinishedRuns, radiographs: Path, tmp_path: Path):
    run = finished_run(images(radiographs))
    packed = tmp_path / "packed"
    finished = run_cxr("reproduce", "--pack", run.directory, "--out", packed, "--json")
    entries = read_answer(finished)["entries"]
    assert {"manifest.json", "config.yaml", "env.json", "ledger.jsonl"} < set(entries)
    # Without it `verify` could not compute thresholds again.
    assert "validation_predictions.csv" in entries
    suffixes = {Path(entry).suffix for entry in entries}
    config = zipfile.ZipFile(packed).read("config.yaml").decode()
    assert str(radiographs) not in config
    assert "root: not-in-the-manifest" in config
    assert suffixes <= {".json", ".yaml", ".jsonl", ".bin", ".csv", ".patch", ".lock", ".py"}
    finished = reproduce(packed, tmp_path / "again", "--data", radiographs)
    assert (finished.returncode, read_answer(finished)["verdict"]) == (0, "identical")


def test_weights_that_it_started_from_are_packed_or_missed(
    finished_run: FinishedRuns, tmp_path: Path
):
    giver = finished_run(vectors(seed=7))
    file = Path(shutil.copy(giver.directory / "model.safetensors", tmp_path))
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    weights = {"source": "file", "path": str(file), "sha256": digest}
    recipe = write_recipe(tmp_path / "recipe.yaml", vectors(model__weights=weights))
    run = tmp_path / "run"
    assert run_cxr("train", "--config", recipe, "--out", run, "-q").returncode == 0
    packed = tmp_path / "packed.zip"
    said = read_answer(run_cxr("reproduce", "--pack", run, "--out", packed, "--json"))
    assert (said["weights"], "weights-in.safetensors" in said["entries"]) == ("packed", True)
    moved = file.rename(tmp_path / "moved.safetensors")
    code, items = plan(run)
    assert (code, [item["field"] for item in items]) == (1, ["weights_in"])
    assert plan(run, "--weights", moved) == (0, [])
    assert read_answer(reproduce(packed, tmp_path / "again"))["verdict"] == "identical"


def test_ctrl_c_ends_it_and_the_new_run_can_go_on(tmp_path: Path):
    recipe = write_recipe(tmp_path / "recipe.yaml", vectors(train__epochs=60))
    assert run_cxr("train", "--config", recipe, "--out", tmp_path / "a", "-q").returncode == 0
    out = tmp_path / "again"
    with started_cxr("reproduce", tmp_path / "a", "--out", out, "-q") as process:
        ledger = out / "run" / "ledger.jsonl"
        wait_until(lambda: ledger.is_file() and ledger.stat().st_size > 20_000, process)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert json.loads((out / "run" / "manifest.json").read_bytes())["status"] == "interrupted"
    assert run_cxr("train", "--resume", out / "run", "-q").returncode == 0
    assert digests(out / "run") == digests(tmp_path / "a")


def test_what_is_no_completed_run_is_refused(run: Run, tmp_path: Path):
    problem, *_ = read_error(run_cxr("reproduce", tmp_path / "nowhere"), code=3)
    assert problem.startswith("cannot read the record")
    edited = copy_run(run, tmp_path / "edited")
    text = (edited / "manifest.json").read_text()
    (edited / "manifest.json").write_text(text.replace('"seed":1', '"seed":2'))
    problem, *_ = read_error(run_cxr("reproduce", edited), code=3)
    assert problem == "the manifest was edited: its content has another digest"
    edited = copy_run(run, tmp_path / "other")
    (edited / "config.yaml").write_text("seed: 2\n")
    problem, *_ = read_error(run_cxr("reproduce", edited), code=3)
    assert problem == "a file of the run was changed: its bytes have another digest"
    problem, *_ = read_error(
        run_cxr("reproduce", "--pack", edited, "--out", tmp_path / "p"), code=3
    )
    assert problem == "a file of the run was changed: its bytes have another digest"
    assert not (tmp_path / "p").exists()


def test_nothing_is_written_over_or_into_a_record(run: Run, tmp_path: Path):
    copied = copy_run(run, tmp_path / "copied")
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    for command in (
        ["reproduce", copied, "--out", copied / "again"],
        ["train", "--config", run.config, "--out", copied / "again"],
        ["repeat", "--config", run.config, "--out", copied / "deep" / "again"],
        ["reproduce", "--pack", copied, "--out", copied / "packed.zip"],
    ):
        problem, where, _ = read_error(run_cxr(*command), code=2)
        assert "would be written into another record" in problem
        assert where.endswith(f"below {copied}")
    problem, *_ = read_error(
        run_cxr("reproduce", "--pack", copied, "--out", copied / "manifest.json"), code=2
    )
    assert problem == "a file stands where the packed run would be written"
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


def test_what_a_record_lacks_is_said_before_anything_runs(run: Run, tmp_path: Path):
    copied = copy_run(run, tmp_path / "copied")
    (copied / "ledger.jsonl").unlink()
    problem, where, _ = read_error(reproduce(copied, tmp_path / "again"), code=3)
    assert (problem, where) == ("a file of the run is missing", str(copied / "ledger.jsonl"))
    assert not (tmp_path / "again").exists()


def test_options_that_the_run_has_no_use_for_are_refused(run: Run, tmp_path: Path):
    for option, problem in (
        ("--data", "the run's data are drawn from its recipe: no directory holds them"),
        ("--weights", "the run started from no given weights"),
    ):
        finished = run_cxr("reproduce", run.directory, option, tmp_path)
        assert read_error(finished, code=2)[0] == problem


def test_a_manifest_that_is_no_config_any_more_is_an_error(run: Run, tmp_path: Path):
    for name, value in (("data", "x"), ("model.weights", []), ("train", None)):
        manifest = run.manifest
        manifest["config"]["rest"][name] = value
        (tmp_path / "manifest.json").write_bytes(canonical_json(seal_manifest(manifest)))
        finished = run_cxr("reproduce", tmp_path / "manifest.json", "--plan")
        assert finished.returncode in (2, 3), finished.stdout
        read_error(finished, code=finished.returncode)
