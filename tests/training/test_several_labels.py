"""Images with any number of labels, from a table, through every command that meets them."""

from __future__ import annotations

import csv
import shutil

import filelock
import pytest

from support import recipes
from support.data_sets import write_table
from support.program import read_answer, read_error, run_cxr
from support.recipes import write_recipe
from support.runs import HEAVY, diff


@pytest.fixture(scope="session")
def table(shared_directory):
    """A table of 40 images with two labels; never changed."""
    home = shared_directory / "labelled"
    with filelock.FileLock(shared_directory / "labelled.lock"):
        if not home.exists():
            drawn = home.with_name("labelling")
            drawn.mkdir()
            write_table(drawn)
            drawn.rename(home)
    return home / "table.csv"


@pytest.fixture
def run(finished_run, table):
    return finished_run(recipes.labels(table))


def test_predictions_and_figures_are_of_each_label(run):
    with (run.directory / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 10
    assert {row["labels"] for row in rows} == {
        "-",
        "Edema",
        "Effusion",
        "Edema|Effusion",
        "Edema|Effusion?",
    }
    for row in rows:
        shares = {name: float(row[f"probability:{name}"]) for name in ("Edema", "Effusion")}
        decided = [name for name, share in shares.items() if share >= 0.5]
        assert row["decisions"] == ("|".join(decided) or "-")
    figures = run.manifest["metrics"]
    counted = {name: sum(map(sum, figures["confusion"][name])) for name in figures["confusion"]}
    assert counted == {"Edema": 10, "Effusion": 9}
    assert run.manifest["selection"]["figure"] is not None


def test_the_record_verifies_without_heavy_libraries_and_an_edited_figure_does_not(run, tmp_path):
    finished = run_cxr("verify", run.directory, blocked=HEAVY)
    assert finished.returncode == 0, finished.stderr
    copy = tmp_path / "run"
    shutil.copytree(run.directory, copy)
    predictions = copy / "predictions.csv"
    predictions.write_text(predictions.read_text().replace("Edema,", "-,", 1))
    assert run_cxr("verify", copy, blocked=HEAVY).returncode == 1


def test_it_repeats_to_the_bit_and_evaluates_to_the_same_from_another_place(run, table, tmp_path):
    answer = read_answer(
        run_cxr("repeat", "-n", "2", "--config", run.config, "--out", tmp_path / "r", "--json")
    )
    assert answer["verdict"] == "zero-variance"
    assert answer["outcome_digests"] == [run.manifest["outcome_digest"]] * 2
    shutil.copytree(table.parent, tmp_path / "moved")
    shutil.copytree(run.directory, tmp_path / "run")
    finished = run_cxr("evaluate", tmp_path / "run", "--data", tmp_path / "moved", "-q")
    assert finished.returncode == 0, finished.stderr
    assert "predictions are identical to the run's own, bit for bit" in finished.stdout
    shown = finished.stdout.partition("per class:")[2]
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert shown.splitlines()[3].split()[:2] == ["Edema", "5"]
    assert "found   missed   false alarm   rightly not" in shown


def test_another_policy_for_uncertain_labels_is_one_difference(run, finished_run, table):
    other = finished_run(recipes.labels(table, data__csv__uncertain="ones"))
    code, answer = diff(run, other)
    assert code == 1
    assert [(one["part"], one["field"]) for one in answer["differences"]] == [
        ("config", "data.csv.uncertain")
    ]
    assert answer["first_divergence"]["what"] == "batch"
    assert answer["first_divergence"]["tensor"] == "labels"


def test_rows_that_cannot_be_used_are_named_before_anything_is_written(table, tmp_path):
    home = tmp_path / "set"
    shutil.copytree(table.parent, home)
    content = (home / "table.csv").read_text(encoding="utf-8")
    changed = content.replace("images/05.png", "../05.png").replace(
        "images/07.png", "images/77.png"
    )
    (home / "table.csv").write_text(changed, encoding="utf-8")
    config = write_recipe(tmp_path / "c.yaml", recipes.labels(home / "table.csv"))
    finished = run_cxr("train", "--config", config, "--out", tmp_path / "run", "-q")
    problem, where, _ = read_error(finished, code=3)
    assert problem == "2 rows of the table cannot be used"
    assert ":7: '../05.png' holds '..'" in where
    assert ":9: no such file: 'images/77.png'" in where
    assert not (tmp_path / "run").exists()


def test_a_label_that_cannot_be_balanced_is_refused_and_a_repeat_leaves_nothing(table, tmp_path):
    shutil.copytree(table.parent / "images", tmp_path / "images")
    edited = edit_table(table, tmp_path, "train", {"Edema": "1.0"})
    recipe = recipes.labels(edited, train__class_weights="balanced")
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    finished = run_cxr("repeat", "-n", "2", "--config", config, "--out", tmp_path / "repeat", "-q")
    problem, _, _ = read_error(finished, code=3)
    assert problem == "no training sample without the class Edema"
    assert not (tmp_path / "repeat").exists()


@pytest.mark.parametrize("stopped", [False, True])
def test_a_run_is_not_gone_on_with_nor_evaluated_over_other_patients(table, tmp_path, stopped):
    shutil.copytree(table.parent / "images", tmp_path / "images")
    edited, run = edit_table(table, tmp_path, "test", {}), tmp_path / "run"
    config = write_recipe(tmp_path / "recipe.yaml", recipes.labels(edited))
    fault = {"fault": "signal:2"} if stopped else {}
    trained = run_cxr("train", "-q", "--config", config, "--out", run, **fault)
    assert trained.returncode == (130 if stopped else 0), trained.stderr
    edit_table(table, tmp_path, "test", {"patient": "p30"})
    command = ("train", "-q", "--resume", run) if stopped else ("evaluate", run, "-q")
    problem, where, _ = read_error(run_cxr(*command), code=3)
    if stopped:
        assert problem.startswith("the run cannot go on: the patient of images/31.png, ")
        assert problem.endswith(", 6 more images changed since it began")
        assert where == str(run)
    else:
        assert problem == "images of other patients than when the run was trained: 9"
        assert where == "images/31.png: p31 in the run's data.lock.json, p30 now"


def edit_table(table, directory, split, cells):
    """Write a table with other cells in the rows of a split."""
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if row["split"] == split:
            row.update(cells)
    with (directory / "table.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return directory / "table.csv"
