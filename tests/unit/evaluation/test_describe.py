from __future__ import annotations

import math

import numpy as np
import pytest

from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json
from cxr.evaluation.describe import describe_evaluation
from cxr.evaluation.subgroups import MIN_PATIENTS, describe_subgroups
from cxr.evaluation.thresholds import describe_thresholds
from cxr.records.data_lock import DataLock, Sample
from cxr.records.predictions import Prediction

CLASSES = ("A", "B")


def predict(path, label, share):
    """Build a prediction with this probability of B."""
    logit = math.log(share / (1 - share))
    return Prediction(
        path=path,
        label=label,
        decision="B" if share > 0.5 else "A",
        logits=("0.0", str(np.float32(logit))),
        probabilities=(1 - share, share),
    )


def build_rows(*sizes):
    """Return predictions of subgroups v0, v1, … with so many patients, two images each."""
    rows, values, groups = [], {}, {}
    for number, size in enumerate(sizes):
        for patient in range(size):
            for image in range(2):
                path = f"v{number}/p{patient}-{image}"
                rows.append(predict(path, CLASSES[patient % 2], 0.3 + 0.4 * (patient % 3 > 0)))
                values[path] = f"v{number}"
                groups[path] = f"v{number}/p{patient}"
    return rows, values, groups


# Thresholds


def test_thresholds_are_chosen_on_validation_and_judged_elsewhere():
    validation = [predict("v0", "A", 0.4), predict("v1", "B", 0.6), predict("v2", "B", 0.9)]
    judged = [predict("t0", "A", 0.55), predict("t1", "B", 0.59), predict("t2", "A", 0.7)]
    found = describe_thresholds(CLASSES, validation, judged)
    one = found["per_class"]["B"]
    assert one["probability"] == pytest.approx(0.6)
    assert (one["validation"]["sensitivity"], one["validation"]["youden"]) == (1.0, 1.0)
    assert (one["sensitivity"], one["specificity"]) == (0.0, 0.5)
    assert (found["chosen_on"], found["rule"].split()[0]) == ("val", "largest")


def test_without_validation_there_is_no_threshold_and_the_reason_is_told():
    found = describe_thresholds(CLASSES, None, [predict("t", "A", 0.4)], missing="no split")
    assert (found["chosen_on"], found["reason"], found["per_class"]) == (None, "no split", {})


def test_validation_with_one_side_gives_no_threshold():
    found = describe_thresholds(CLASSES, [predict("v", "A", 0.4)], [predict("t", "A", 0.4)])
    assert found["per_class"] == {"A": None, "B": None}


# Subgroups


def list_values(found):
    return [row["value"] for row in found["kind"]["rows"]]


def describe(*sizes):
    rows, values, groups = build_rows(*sizes)
    return describe_subgroups(CLASSES, rows, {"kind": values}, groups)


def test_a_large_subgroup_has_the_figures_of_its_images():
    found = describe(MIN_PATIENTS, MIN_PATIENTS + 2)
    assert list_values(found) == ["v0", "v1"]
    first = found["kind"]["rows"][0]
    assert (first["patients"], first["num_images"]) == (MIN_PATIENTS, 2 * MIN_PATIENTS)
    assert first["per_class"]["A"]["support"] == MIN_PATIENTS
    rows, _, _ = build_rows(MIN_PATIENTS)
    assert first["accuracy"] == sum(row.label == row.decision for row in rows) / len(rows)
    assert found["kind"]["hidden_values"] == 0


def test_many_images_of_few_patients_are_a_small_subgroup():
    found = describe(MIN_PATIENTS - 1, MIN_PATIENTS - 1, 30)
    assert list_values(found) == ["v2"]
    assert found["kind"]["hidden_values"] == 2


def test_a_small_subgroup_cannot_be_told_by_subtraction():
    found = describe(1, MIN_PATIENTS, 30)
    assert list_values(found) == ["v2"]
    assert found["kind"]["hidden_values"] == 2
    assert list_values(describe(1, 30)) == []


def test_a_hidden_value_is_not_named():
    rows, values, groups = build_rows(1, 12, 30)
    values = {path: "Doe^Jane" if text == "v0" else text for path, text in values.items()}
    found = describe_subgroups(CLASSES, rows, {"name": values}, groups)
    assert b"Doe" not in canonical_json(found)


def test_images_without_a_value_have_a_row_of_their_own_at_the_end():
    rows, values, groups = build_rows(10, 10)
    values = {path: None if text == "v0" else text for path, text in values.items()}
    assert list_values(describe_subgroups(CLASSES, rows, {"kind": values}, groups)) == ["v1", None]


def test_subgroups_stand_in_the_record_only_where_some_are_declared():
    rows, values, groups = build_rows(12)
    samples = tuple(
        Sample(path=path, bytes=1, sha256="x", label="A", group=group, split="test")
        for path, group in groups.items()
    )
    lock = DataLock(classes=CLASSES, samples=samples)
    plain = describe_evaluation(lock, rows, None, {}, level=Level.STRICT)
    assert "subgroups" not in plain
    assert plain["thresholds"]["reason"] == "there is no validation split"
    found = describe_evaluation(lock, rows, None, {"kind": values}, level=Level.STRICT)
    assert {key: found[key] for key in plain} == plain
    assert list_values(found["subgroups"]) == ["v0"]
