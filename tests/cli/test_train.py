"""``cxr train`` on the command line: what it prints, where, and what it names its directory."""

from __future__ import annotations

import re
from pathlib import Path

from cxr.records.figures import flatten_figures
from support.program import read_answer, read_error, run_cxr
from support.recipes import images, vectors, write_recipe
from support.runs import FinishedRuns


def test_json_is_one_document_and_progress_goes_to_stderr(finished_run: FinishedRuns):
    run = finished_run(vectors())
    answer, manifest = read_answer(run.process), run.manifest
    keys = ("status", "recipe", "recipe_digest", "outcome_digest", "trace_digest", "metrics")
    found = {key: manifest[key] for key in keys}
    assert answer == {"run": str(run.directory), "determinism": "strict", **found}
    lines = run.process.stderr.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("val accuracy" in line for line in lines)


def test_quiet_prints_the_result_alone_into_a_directory_named_after_the_recipe(
    finished_run: FinishedRuns, tmp_path: Path
):
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    finished = run_cxr("train", "--config", config, "--set", "name=mine", "-q", cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, "")
    (directory,) = (tmp_path / "runs").iterdir()
    manifest = finished_run(vectors()).manifest
    short = manifest["recipe_digest"].removeprefix("sha256:")[:8]
    assert re.fullmatch(rf"mine-\d{{8}}T\d{{6}}Z-{short}", directory.name)
    figures = manifest["metrics"]
    names = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "loss")
    assert finished.stdout.splitlines() == [
        f"completed: runs/{directory.name}",
        *(f"  test {name:<18}{figures[name]:.4f}" for name in names),
        f"  and {len(flatten_figures(figures)) - len(names)} more figures: --figures all",
        f"  outcome  {manifest['outcome_digest']}",
        f"  trace    {manifest['trace_digest']}",
        "  promise  strict: the same bits on this machine with this stack",
    ]


def test_the_config_of_a_run_leads_to_its_data(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    run = finished_run(images(radiographs))
    finished = run_cxr("data", "verify", run.directory / "config.yaml", "--json", cwd=tmp_path)
    assert read_answer(finished)["samples"] == 28


def test_the_config_of_a_run_written_through_a_link_leads_to_its_data(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    # runs/ is often a link to a larger disk.
    recipe = images(radiographs, train__epochs=1, model={"name": "mlp"})
    run = finished_run(recipe, through_link=True)
    finished = run_cxr("data", "verify", run.directory / "config.yaml", "--json", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert read_answer(finished)["samples"] == 28


def test_an_out_that_cannot_be_written_is_refused_before_anything_is_read(
    radiographs: Path, tmp_path: Path
):
    (tmp_path / "file").touch()
    config = write_recipe(tmp_path / "recipe.yaml", images(radiographs))
    finished = run_cxr("train", "--config", config, "--out", tmp_path / "file" / "run")
    assert finished.stderr.startswith("error: cannot write: Not a directory\n")
    assert read_error(finished, code=3)[1] == str(tmp_path / "file" / "run")


def test_two_runs_of_one_recipe_in_one_second_have_directories_of_their_own(tmp_path: Path):
    config = write_recipe(tmp_path / "recipe.yaml", vectors())
    for _ in range(2):
        options = ["--config", config, "-q"]
        finished = run_cxr("train", *options, cwd=tmp_path, fault="stopped-clock")
        assert finished.returncode == 0, finished.stderr
    first, second = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert second == f"{first}-2"


def test_data_goes_with_resume(tmp_path: Path):
    finished = run_cxr("train", "--config", "x", "--data", tmp_path)
    problem, _, hint = read_error(finished, code=2)
    assert problem == "--data goes with --resume"
    assert "data.root" in hint
