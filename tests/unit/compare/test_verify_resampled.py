from __future__ import annotations

import json
import shutil

import pytest

from cxr.compare import verify_figures, verify_resampled
from cxr.compare.verify_run import verify_run
from cxr.determinism.levels import Level
from cxr.digests.files import digest_file
from cxr.evaluation.describe import describe_evaluation
from cxr.evaluation.intervals import derive_intervals
from cxr.evaluation.metrics import compute_metrics
from cxr.records.data_lock import load_data_lock
from cxr.records.manifest import EVALUATION_SCHEMA, load_manifest, write_manifest
from cxr.records.predictions import load_predictions
from cxr.records.run_directory import DATA_LOCK, MANIFEST, PREDICTIONS

NUM_IMAGES = 24
KIND = "evaluate.subgroups.kind.pattern"
SEX = "evaluate.subgroups.sex.column"
TABLE = {
    "data.source": "csv",
    "data.csv.file": "/data/table.csv",
    "data.csv.label": "label",
    "data.csv.split": "split",
}


@pytest.fixture
def evaluate(make_run, describe_image, plain_samples):
    """Return a fabricated run and a later evaluation of it, with intervals and subgroups."""

    def write(**config):
        tests = [
            describe_image(f"test/{'AB'[number % 2]}/{'xy'[number // 12]}{number:02}.png")
            for number in range(NUM_IMAGES)
        ]
        samples = (*tests, *plain_samples[2:])
        logits = tuple((0.5, number % 7 / 7) for number in range(NUM_IMAGES))
        run = make_run(samples=samples, logits=logits, computed=True, config=config)
        lock = load_data_lock(run / DATA_LOCK)
        classes, rows = load_predictions(run / PREDICTIONS)
        values = {
            name.split(".")[2]: {row.path: row.path.split("/")[2][0] for row in rows}
            for name in config
            if name.startswith("evaluate.")
        }
        metrics = {
            "split": "test",
            **describe_evaluation(
                lock, rows, None, values, level=Level.STRICT, missing="it was not kept"
            ),
        }
        manifest = load_manifest(run)
        write_manifest(run, {**manifest, "metrics": metrics})
        place = run / "evaluations" / "test-1"
        place.mkdir(parents=True)
        for name in (PREDICTIONS, "env.json"):
            shutil.copy(run / name, place / name)
        manifest = load_manifest(run)
        groups = {sample.path: sample.group for sample in lock.samples}
        write_manifest(
            place,
            {
                "schema": EVALUATION_SCHEMA,
                "status": "completed",
                "determinism": "strict",
                "run": {"manifest_digest": manifest["manifest_digest"]},
                "predictions_digest": digest_file(place / PREDICTIONS),
                "environment_digest": manifest["environment_digest"],
                "libraries": manifest["libraries"],
                "files": {name: digest_file(place / name) for name in (PREDICTIONS, "env.json")},
                "metrics": metrics,
                "intervals": derive_intervals(classes, rows, groups, seed=1, replicates=400),
            },
        )
        return run, place

    return write


def edit(directory, change):
    """Edit a manifest and seal it anew."""
    manifest = json.loads((directory / MANIFEST).read_bytes())
    change(manifest)
    write_manifest(directory, manifest)


def describe(run):
    found = verify_run(run)
    return [one.problem for one in found.findings], [one.problem for one in found.unchecked]


def test_what_was_written_is_what_is_computed_again(evaluate):
    run, place = evaluate(**{KIND: "test/./(.)"})
    assert describe(run) == ([], [])
    table = load_manifest(place)["metrics"]["subgroups"]["kind"]
    assert [row["value"] for row in table["rows"]] == ["x", "y"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda found: found["whole"]["auroc"].update(low=0.9), "intervals.whole.auroc"),
        (lambda found: found["whole"]["loss"].update(reason="x"), "intervals.whole.loss"),
        (
            lambda found: found["per_class"]["A"]["recall"].update(high=1.0),
            "intervals.per_class.A.recall",
        ),
        (lambda found: found["delong"]["B"].update(high=1.0), "intervals.delong.B"),
        (
            lambda found: found["whole"]["expected_calibration_error"].update(low=0.0, reason=None),
            "intervals.whole.expected_calibration_error",
        ),
        (lambda found: found["whole"].pop("brier_score"), "intervals.whole.brier_score"),
        (lambda found: found.update(seed=2), "intervals.seed"),
        (lambda found: found.update(level=0.5), "intervals.level"),
        (lambda found: found.update(num_groups=100), "intervals.num_groups"),
    ],
)
def test_an_interval_that_was_edited_and_sealed_again_is_named(evaluate, change, named):
    run, place = evaluate()
    edit(place, lambda manifest: change(manifest["intervals"]))
    assert describe(run) == ([f"{named} is not what the predictions give"], [])


@pytest.mark.parametrize("replicates", [0, 10**9, "400", None])
def test_no_edit_keeps_the_machine_busy(evaluate, replicates):
    run, place = evaluate()
    edit(place, lambda manifest: manifest["intervals"].update(replicates=replicates))
    assert describe(run) == (["intervals are not of a form that cxr writes"], [])


@pytest.mark.parametrize("whose", ["run", "evaluation"])
def test_a_table_of_a_subgroup_that_was_edited_or_removed_is_named(evaluate, whose):
    run, place = evaluate(**{KIND: "test/./(.)"})
    edited = place if whose == "evaluation" else run

    def improve(manifest):
        manifest["metrics"]["subgroups"]["kind"]["rows"][1]["accuracy"] = 1.0

    kept = (run / MANIFEST).read_bytes(), (place / MANIFEST).read_bytes()
    edit(edited, improve)
    named = "metrics.subgroups.kind is not what the predictions give"
    # Whoever seals the run anew has not sealed the evaluation.
    rest = ["is an evaluation of another manifest"] if whose == "run" else []
    assert describe(run) == ([named, *rest], [])
    (run / MANIFEST).write_bytes(kept[0])
    (place / MANIFEST).write_bytes(kept[1])
    edit(edited, lambda manifest: manifest["metrics"].pop("subgroups"))
    named = "metrics.subgroups are missing, though config.yaml names them"
    assert describe(run) == ([named, *rest], [])


def test_an_evaluation_whose_figures_were_taken_out_is_named(evaluate):
    run, place = evaluate(**{KIND: "test/./(.)"})
    edit(place, lambda manifest: manifest.pop("metrics"))
    assert describe(run) == (["metrics are missing, though it completed"], [])
    # The intervals are checked for all that.
    edit(place, lambda manifest: manifest["intervals"].update(num_groups=100))
    missing = "metrics are missing, though it completed"
    edited = "intervals.num_groups is not what the predictions give"
    assert describe(run) == ([missing, edited], [])
    # A run that failed has none.
    failed = {**load_manifest(place), "status": "failed"}
    assert list(verify_figures.check_figures(place, failed, "strict")) == []


def test_intervals_that_were_taken_out_are_named_or_left_open(evaluate):
    run, place = evaluate()
    kept = (place / MANIFEST).read_bytes()
    edit(place, lambda manifest: manifest.pop("intervals"))
    missing = "intervals are missing, which this version of cxr always writes"
    assert describe(run) == ([missing], [])
    (place / MANIFEST).write_bytes(kept)
    edit(place, lambda manifest: manifest.update(intervals=None))
    why = "intervals: there are none; whether any were asked for stands in no record"
    assert describe(run) == ([], [why])

    def make_older(manifest):
        rows = load_predictions(place / PREDICTIONS)
        figures = compute_metrics(*rows, level=Level.STRICT).to_json()
        manifest["metrics"] = {"split": "test", **figures}
        del manifest["intervals"]

    edit(place, make_older)
    assert describe(run) == ([], [])


def test_what_no_record_tells_is_named_as_not_checked(evaluate):
    run, place = evaluate(**{SEX: "Sex", **TABLE})
    why = "metrics.subgroups.sex: what an image is in it stands in no record"
    assert describe(run) == ([], [why, why])
    elsewhere = place.parents[2] / "elsewhere"
    shutil.copytree(place, elsewhere)
    gone = "the records of the run are not here, or were changed"
    assert describe(elsewhere) == ([], [f"intervals: {gone}", f"metrics.subgroups: {gone}"])


def test_without_the_libraries_intervals_are_named_as_not_checked(evaluate, monkeypatch):
    run, place = evaluate()
    edit(place, lambda manifest: manifest["intervals"].update(seed=2))
    monkeypatch.setattr(verify_resampled, "_can_resample", lambda: False)
    assert describe(run) == ([], ["intervals: NumPy or SciPy cannot be loaded here"])


def test_a_prediction_of_no_image_of_the_run_is_named(evaluate):
    run, place = evaluate()
    content = (place / PREDICTIONS).read_bytes().replace(b"x00.png", b"z00.png")
    (place / PREDICTIONS).write_bytes(content)
    digest = digest_file(place / PREDICTIONS)

    def seal(manifest):
        manifest["predictions_digest"] = manifest["files"][PREDICTIONS] = digest

    edit(place, seal)
    named = "names what is no class and no image of the run: test/A/z00.png"
    assert describe(run) == ([named], [])
