from __future__ import annotations

import json

import pytest

from cxr.compare.diff import diff_runs
from cxr.compare.report import Divergence
from cxr.errors import RecordError, UsageError
from cxr.records.manifest import EVALUATION_SCHEMA, write_manifest
from cxr.records.predictions import write_predictions
from cxr.records.run_directory import PREDICTIONS
from cxr.reports.diff_text import describe_broken_tolerances

UPSET = frozenset({(1, "gradients", "w")})
OTHER = {"upset": UPSET, "weight": 0.75, "logits": ((0.375, 0.625), (0.75, 0.25))}


def test_runs_with_equal_bits_are_identical(make_run):
    found = diff_runs(make_run(), make_run())
    assert found.verdict == "identical"
    assert found.first_divergence is None
    assert found.differences == []
    assert found.predictions.images == 2
    assert found.predictions.changed_decisions == 0
    assert found.predictions.largest_probability_change == 0.0


def test_inputs_may_differ_where_bits_do_not(make_run):
    found = diff_runs(make_run(), make_run(config={"workers": 4}))
    assert found.verdict == "identical"
    assert [one.field for one in found.differences] == ["workers"]


def test_runs_with_other_bits_are_different_from_where_they_part(make_run):
    found = diff_runs(make_run(), make_run(config={"seed": 2}, **OTHER))
    assert found.verdict == "different"
    assert found.first_divergence == Divergence(step=1, epoch=0, what="gradients", tensor="w")
    assert [one.field for one in found.differences] == ["seed"]
    assert found.differences[0].cause is None


def test_predictions_are_compared_image_by_image(make_run):
    found = diff_runs(make_run(), make_run(**OTHER)).predictions
    assert found.images == 2
    assert found.changed_decisions == 0
    assert found.largest_probability_change == 0.25
    turned = diff_runs(make_run(), make_run(logits=((0.75, 0.25), (0.5, 0.5)))).predictions
    assert turned.changed_decisions == 1


def test_only_images_that_both_runs_predicted_are_compared(make_run, plain_samples, describe_image):
    other = (describe_image("test/A/9.png"), *plain_samples[1:])
    found = diff_runs(make_run(), make_run(samples=other, weight=0.75)).predictions
    assert found.images == 1


def test_predictions_of_other_classes_are_not_compared(make_run, edit_manifest):
    other = make_run(**OTHER)
    written = write_predictions(other / PREDICTIONS, ("A", "B", "C"), [])
    edit_manifest(
        other, lambda manifest: manifest["outcome"].update(predictions_digest=written), seal=True
    )
    assert diff_runs(make_run(), other).predictions is None


def test_a_run_without_predictions_is_compared_as_far_as_it_came(make_run):
    found = diff_runs(make_run(), make_run(status="failed", upset=UPSET))
    assert found.verdict == "different"
    assert found.predictions is None


def test_equal_ledgers_with_other_outcomes_are_different(make_run):
    found = diff_runs(make_run(), make_run(weight=0.75))
    assert found.verdict == "different"
    assert found.first_divergence is None


def test_figures_stand_side_by_side(make_run):
    found = diff_runs(make_run(), make_run(metrics={"accuracy": 0.75, "auroc": None}, **OTHER))
    assert found.metrics["accuracy"] == {"a": 0.5, "b": 0.75, "difference": 0.25}
    assert found.metrics["auroc"] == {"a": 0.75, "b": None, "difference": None}


def test_figures_of_other_splits_are_not_compared(make_run):
    assert diff_runs(make_run(), make_run(metrics={"split": "val"}, **OTHER)).metrics == {}


@pytest.mark.parametrize(
    ("tolerances", "verdict"),
    [
        ({}, "different"),
        ({"accuracy": 0.25}, "equivalent"),
        ({"accuracy": 0.3}, "equivalent"),
        ({"accuracy": 0.2}, "different"),
        ({"accuracy": 0.25, "loss": 0.05}, "different"),
        ({"accuracy": 0.25, "loss": 0.2}, "equivalent"),
        ({"macro_f1": 0.0}, "equivalent"),
        ({"auroc": 100.0}, "different"),
    ],
)
def test_a_tolerance_is_absolute_per_metric_and_asked_for(make_run, tolerances, verdict):
    metrics = {"accuracy": 0.25, "loss": 0.8, "auroc": None}
    a, b = make_run(), make_run(metrics=metrics, **OTHER)
    for pair in ((a, b), (b, a)):
        found = diff_runs(*pair, tolerances=tolerances)
        assert found.verdict == verdict
        assert found.tolerances == tolerances


def test_a_figure_of_a_class_is_compared_and_tolerated_as_any_other(make_run):
    classes = [{"per_class": {"A": {"auroc": value}}} for value in (0.5, 0.75, None)]
    a = make_run(metrics=classes[0])
    b, undefined = (make_run(metrics=one, **OTHER) for one in classes[1:])
    name = "per_class.A.auroc"
    for tolerance, verdict in ((0.25, "equivalent"), (0.2, "different")):
        found = diff_runs(a, b, {name: tolerance})
        assert (found.verdict, found.metrics[name]["difference"]) == (verdict, 0.25)
    found = diff_runs(a, undefined, {name: 1.0})
    assert found.metrics[name] == {"a": 0.5, "b": None, "difference": None}
    assert found.verdict == "different"
    assert describe_broken_tolerances(found) == [
        f"no tolerance holds: {name} is undefined in run b"
    ]


def test_a_name_that_is_not_there_is_answered_with_those_near_it(make_run):
    metrics = {"per_class": {name: {"auroc": 0.5} for name in ("NORMAL", "PNEUMONIA")}}
    a, b = make_run(metrics=metrics), make_run(metrics=metrics, **OTHER)
    for asked, near in (
        ("per_class.PNEUMONA.auroc", "per_class.PNEUMONIA.auroc, per_class.NORMAL.auroc"),
        ("auroc_", "auroc"),
        ("zzz", "accuracy, balanced_accuracy, macro_f1, auroc, loss"),
    ):
        with pytest.raises(UsageError, match=f"no metric is called '{asked}'") as caught:
            diff_runs(a, b, {asked: 0.1})
        assert caught.value.hint == f"choose from {near}; cxr diff --figures all has all 7"


def test_identical_runs_are_identical_within_any_tolerance(make_run):
    assert diff_runs(make_run(), make_run(), {"accuracy": 0.0}).verdict == "identical"


@pytest.mark.parametrize("other", [OTHER, {}], ids=["different", "identical"])
def test_a_tolerance_of_no_metric_is_a_usage_error(make_run, other):
    with pytest.raises(UsageError, match="no metric is called 'acuracy'") as caught:
        diff_runs(make_run(), make_run(**other), {"acuracy": 0.1})
    assert "accuracy" in caught.value.hint


def test_a_run_that_has_not_ended_cannot_be_called_identical(make_run):
    stopped = {"status": "interrupted"}
    a, b = make_run(**stopped), make_run(**stopped)
    with pytest.raises(RecordError, match="no difference so far, but a run has no outcome") as one:
        diff_runs(a, b)
    assert one.value.where == f"{a}, status interrupted"


def test_the_answer_is_plain_json_as_the_contract_has_it(make_run):
    found = diff_runs(make_run(), make_run(config={"seed": 2}, **OTHER), {"loss": 0.1})
    answer = json.loads(json.dumps(found.to_json()))
    assert answer["verdict"] == "equivalent"
    assert answer["first_divergence"] == {
        "step": 1,
        "epoch": 0,
        "what": "gradients",
        "tensor": "w",
    }
    assert answer["differences"] == [
        {
            "part": "config",
            "field": "seed",
            "a": 1,
            "b": 2,
            "affects_bits": "yes",
            "cause": None,
        }
    ]
    assert answer["metrics"]["loss"] == {"a": 0.7, "b": 0.7, "difference": 0.0}
    identical = diff_runs(make_run(), make_run()).to_json()
    assert identical["first_divergence"] is None


def test_what_is_no_run_cannot_be_compared(make_run, tmp_path):
    write_manifest(tmp_path, {"schema": EVALUATION_SCHEMA})
    with pytest.raises(RecordError, match="not a run: this is a later evaluation"):
        diff_runs(make_run(), tmp_path)
    with pytest.raises(RecordError, match="not a run directory"):
        diff_runs(tmp_path / "nothing", make_run())


@pytest.mark.parametrize("part", ["recipe", "config", "controls", "status"])
def test_a_manifest_without_a_part_is_refused_by_its_name(make_run, edit_manifest, part):
    edited = edit_manifest(make_run(), lambda manifest: manifest.pop(part), seal=True)
    with pytest.raises(RecordError, match=f"the manifest lacks or misspells {part}"):
        diff_runs(make_run(), edited)


@pytest.mark.parametrize("value", [None, 5, "text", []])
@pytest.mark.parametrize("part", ["recipe", "config", "controls", "trace", "metrics"])
def test_a_part_of_another_kind_is_a_record_error_and_no_crash(
    make_run, edit_manifest, part, value
):
    edited = edit_manifest(
        make_run(**OTHER), lambda manifest: manifest.update({part: value}), seal=True
    )
    for pair in ((make_run(), edited), (edited, make_run())):
        with pytest.raises(RecordError, match=f"the manifest lacks or misspells {part}"):
            diff_runs(*pair)


def test_an_edit_that_was_not_sealed_is_refused(make_run, edit_manifest):
    edited = edit_manifest(make_run(), lambda manifest: manifest.update(more=1))
    with pytest.raises(RecordError, match="the manifest was edited"):
        diff_runs(make_run(), edited)


def test_predictions_that_were_edited_are_a_record_error(make_run):
    a, b = make_run(), make_run(**OTHER)
    content = (b / PREDICTIONS).read_bytes()
    (b / PREDICTIONS).write_bytes(content[:-2] + b"9\n")
    with pytest.raises(RecordError, match="not those of the run's outcome"):
        diff_runs(a, b)


def test_predictions_that_were_cut_are_a_record_error(make_run):
    a, b = make_run(), make_run()
    content = (b / PREDICTIONS).read_bytes()
    (b / PREDICTIONS).write_bytes(content[:-8])
    with pytest.raises(RecordError, match="cannot read the predictions"):
        diff_runs(a, b)
