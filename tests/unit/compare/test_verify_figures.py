from __future__ import annotations

import copy

import pytest

from cxr.compare.verify_figures import check_figures
from cxr.determinism.levels import Level
from cxr.evaluation.metrics import compute_metrics
from cxr.evaluation.split_figures import describe_split
from cxr.evaluation.thresholds import describe_thresholds
from cxr.records.predictions import Prediction, load_predictions, write_predictions

CLASSES = ("A", "B")


def predict(number, label, share):
    return Prediction(
        path=f"{number}",
        label=label,
        decision="B" if share > 0.5 else "A",
        logits=("0.0", repr(share - 0.5)),
        probabilities=(1 - share, share),
    )


@pytest.fixture
def run(tmp_path):
    """What the figures of a run are taken from, and its manifest."""
    rows = [predict(0, "A", 0.25), predict(1, "B", 0.75), predict(2, "A", 0.625)]
    validation = [predict(3, "A", 0.25), predict(4, "B", 0.5), predict(5, "A", 0.125)]
    write_predictions(tmp_path / "predictions.csv", CLASSES, rows)
    write_predictions(tmp_path / "validation_predictions.csv", CLASSES, validation)
    metrics = {
        "split": "test",
        **describe_split(CLASSES, rows),
        "thresholds": describe_thresholds(CLASSES, validation, rows),
    }
    return tmp_path, {"schema": "cxr.manifest/1", "metrics": metrics}


def test_figures_as_they_were_written_are_those_of_the_predictions(run):
    assert list(check_figures(*run, "strict")) == []


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda metrics: metrics.update(brier_score=0.1), "brier_score"),
        (lambda metrics: metrics.pop("average_precision"), "average_precision"),
        (lambda metrics: metrics["reliability"][0].update(count=9), "reliability"),
        (lambda metrics: metrics["per_class"]["A"].update(specificity=0.9), "per_class"),
        (lambda metrics: metrics["undefined"].update(auroc="x"), "undefined"),
        (
            lambda metrics: metrics["thresholds"]["per_class"]["B"].update(sensitivity=0.0),
            "thresholds",
        ),
        (
            lambda metrics: metrics["thresholds"]["per_class"]["B"].update(threshold=0.5),
            "thresholds",
        ),
    ],
)
def test_an_edited_figure_is_named(run, edit, named):
    directory, manifest = run
    edited = copy.deepcopy(manifest)
    edit(edited["metrics"])
    [finding] = check_figures(directory, edited, "strict")
    assert finding.problem == f"metrics.{named} is not what the predictions give"


@pytest.mark.parametrize("version", ["0.1.0", "later"])
def test_what_no_prediction_gives_is_named(run, version):
    directory, manifest = run
    if version == "0.1.0":
        rows = load_predictions(directory / "predictions.csv")[1]
        manifest = {
            "metrics": {
                "split": "test",
                **compute_metrics(CLASSES, rows, level=Level.STRICT).to_json(),
            }
        }
    assert list(check_figures(directory, manifest, "strict")) == []
    manifest["metrics"] |= {"bogus\nscore": None, "sensitivity_at_95": 0.99}
    assert [one.problem for one in check_figures(directory, manifest, "strict")] == [
        r"metrics.bogus\nscore is no figure of cxr",
        "metrics.sensitivity_at_95 is no figure of cxr",
    ]


def test_thresholds_of_an_evaluation_are_those_of_the_run_that_it_lies_in(run):
    directory, manifest = run
    place = directory / "evaluations" / "test-1"
    place.mkdir(parents=True)
    (place / "predictions.csv").write_bytes((directory / "predictions.csv").read_bytes())
    manifest = manifest | {"schema": "cxr.evaluation/1"}
    assert list(check_figures(place, manifest, "strict")) == []
    manifest["metrics"]["thresholds"]["per_class"]["A"]["probability"] = 0.1
    [finding] = check_figures(place, manifest, "strict")
    assert "thresholds" in finding.problem


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (("0.0", "nan"), "cannot read the predictions: a logit of '3' is none"),
        (("3,A,A", "3,A,C"), "names what is no class: C"),
    ],
)
def test_validation_predictions_that_no_model_makes_are_named(run, edit, problem):
    directory, manifest = run
    path = directory / "validation_predictions.csv"
    path.write_text(path.read_text().replace(*edit, 1))
    [finding] = check_figures(directory, manifest, "strict")
    assert (finding.path, finding.problem) == ("validation_predictions.csv", problem)
    place = directory / "evaluations" / "one"
    place.mkdir(parents=True)
    (place / "predictions.csv").write_bytes((directory / "predictions.csv").read_bytes())
    later = {**manifest, "schema": "cxr.evaluation/1"}
    [finding] = check_figures(place, later, "strict")
    assert finding.is_open
    assert finding.problem == "metrics.thresholds: the run's validation predictions do not read"
