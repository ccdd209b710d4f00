from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given

from cxr.errors import RecordError
from cxr.evaluation.cases import FIGURE_NAMES, build_cases
from cxr.evaluation.intervals import derive_intervals
from cxr.evaluation.paired import compare_paired
from cxr.evaluation.split_figures import describe_split
from cxr.records.figures import ALL_SCALARS
from cxr.records.predictions import Prediction
from cxr.statistics.bootstrap import bootstrap_figures
from properties.strategies import examples, prediction_sets

CLASSES = ("A", "B")


def predict(number, label, logit):
    share = 1 / (1 + math.exp(-logit))
    return Prediction(
        path=f"test/{number}.png",
        label=label,
        decision="B" if logit > 0 else "A",
        logits=("0.0", repr(logit)),
        probabilities=(1 - share, share),
    )


def build_rows(shift=0.0):
    """Forty images whose scores follow their class, but not wholly."""
    return [
        predict(number, CLASSES[number % 2], (number * 7 % 11 - 5) / 2 + (number % 2) + shift)
        for number in range(40)
    ]


def group(rows):
    return {row.path: f"p{number}" for number, row in enumerate(rows)}


def require(estimate, figure):
    """Compare a figure from whole numbers with the record's own."""
    assert estimate == (None if figure is None else pytest.approx(figure, abs=1e-9))


@given(prediction_sets())
@examples(max_examples=100)
def test_what_is_resampled_are_the_figures_of_the_record(drawn):
    classes, rows = drawn
    figures = describe_split(classes, rows)
    found = bootstrap_figures(
        build_cases(classes, rows), list(range(len(rows))), root=1, replicates=2
    )
    sample = {FIGURE_NAMES.get(name, name): one.estimate for name, one in found.whole.items()}
    assert sample.keys() == set(ALL_SCALARS)
    for name in ALL_SCALARS:
        assert sample[name] == (
            None if figures[name] is None else pytest.approx(figures[name], abs=1e-9)
        )
    for name, intervals in found.per_class.items():
        for label, one in zip(classes, intervals, strict=True):
            require(one.estimate, figures["per_class"][label][name])


def test_each_figure_lies_in_its_interval_and_delong_stands_beside():
    rows = build_rows()
    found = derive_intervals(CLASSES, rows, group(rows), seed=1, replicates=500)
    figures = describe_split(CLASSES, rows)
    for name in ALL_SCALARS:
        one = found["whole"][name]
        assert one["estimate"] == figures[name]
        assert one["low"] <= figures[name] <= one["high"]
    delong, drawn = found["delong"]["B"], found["per_class"]["B"]["auroc"]
    assert delong["estimate"] == figures["per_class"]["B"]["auroc"]
    # Of forty images; the one is expanded for few patients, the other is not.
    assert drawn["low"] - 0.02 < delong["low"] < drawn["low"] + 0.1
    assert (found["num_groups"], found["num_images"], found["replicates"]) == (40, 40, 500)


def test_patients_are_drawn_and_not_images():
    rows = build_rows()
    more = [dataclasses.replace(row, path=f"again/{row.path}") for row in rows]
    patients = group(rows) | {f"again/{path}": name for path, name in group(rows).items()}
    once = derive_intervals(CLASSES, rows, group(rows), seed=1, replicates=200)
    again = derive_intervals(CLASSES, [*rows, *more], patients, seed=1, replicates=200)
    # A second copy of each image tells nothing new of any patient.
    for name in ("accuracy", "auroc", "loss"):
        for end in ("low", "high"):
            assert again["whole"][name][end] == pytest.approx(once["whole"][name][end])
    assert (again["delong"], again["delong_reason"]) == (None, "a patient has more than one image")


def test_the_interval_is_drawn_from_the_seed_and_repeats():
    rows = build_rows()
    first, again, other = (
        derive_intervals(CLASSES, rows, group(rows), seed=seed, replicates=200)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first["whole"] != other["whole"]
    backwards = derive_intervals(CLASSES, rows[::-1], group(rows), seed=1, replicates=200)
    assert backwards == first


@pytest.mark.parametrize("num", [0, 1])
def test_no_image_and_a_single_one_have_no_interval(num):
    rows = build_rows()[:num]
    found = derive_intervals(CLASSES, rows, group(rows), seed=1, replicates=50)
    if not num:
        assert found is None
        return
    assert {one["low"] for one in found["whole"].values()} == {None}
    assert found["delong"]["A"]["low"] is None


# Two runs


def test_a_run_compared_with_itself_differs_by_nothing():
    rows = build_rows()
    found = compare_paired(CLASSES, rows, rows, group(rows), seed=1, replicates=200)
    for one in found["figures"].values():
        assert (one["difference"], one["low"], one["high"]) == (0.0, 0.0, 0.0)
    assert found["decisions"]["p_value"] == 1.0
    assert found["auroc"]["B"]["p_value"] is None


def test_differences_are_b_minus_a_over_the_images_that_both_have():
    rows, shifted = build_rows(), build_rows(shift=-1.5)
    found = compare_paired(CLASSES, rows, shifted[:30], group(rows), seed=1, replicates=200)
    a, b = describe_split(CLASSES, rows[:30]), describe_split(CLASSES, shifted[:30])
    assert found["num_images"] == 30
    for name in ALL_SCALARS:
        one = found["figures"][name]
        assert (one["a"], one["b"]) == (a[name], b[name])
        if name in ("auroc", "average_precision"):
            # The same ranks, so no resample tells them apart.
            assert (one["difference"], one["low"]) == (0.0, None)
            assert one["reason"] == "all resamples agree"
        else:
            assert one["low"] <= one["difference"] <= one["high"]
    rights = [
        (x.label == x.decision, y.label == y.decision)
        for x, y in zip(rows[:30], shifted[:30], strict=True)
    ]
    assert found["decisions"]["only_first"] == rights.count((True, False))
    assert found["decisions"]["only_second"] == rights.count((False, True))


def test_runs_with_no_image_in_common_or_with_other_labels_cannot_be_compared():
    rows = build_rows()
    with pytest.raises(RecordError, match="no predicted image in common"):
        compare_paired(CLASSES, rows[:5], rows[5:], group(rows), seed=1)
    other = [predict(number, "A", 1.0) for number in range(40)]
    with pytest.raises(RecordError, match="another label"):
        compare_paired(CLASSES, rows, other, group(rows), seed=1)
