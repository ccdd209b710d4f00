from __future__ import annotations

from cxr.records.figures import flatten_figures, list_figures

METRICS = {
    "split": "test",
    "num_images": 3,
    "accuracy": 1,
    "auroc": None,
    "brier_score": 0.25,
    "per_class": {"A.b": {"support": 2, "recall": 0.5, "auroc": None}},
    "reliability": [{"count": 3}],
    "thresholds": {
        "per_class": {
            "A.b": {"threshold": -0.5, "sensitivity": 1.0, "validation": {"youden": 0.75}},
            "c": None,
        }
    },
    "subgroups": {
        "sex": {
            "min_patients": 10,
            "rows": [
                {"value": "F", "patients": 12, "loss": 0.5, "per_class": {"c": {"recall": 0.1}}},
                {"value": None, "loss": None},
            ],
        }
    },
}


def test_every_single_figure_has_a_name_and_no_count_or_curve_has():
    assert flatten_figures(METRICS) == {
        "accuracy": 1,
        "auroc": None,
        "brier_score": 0.25,
        "per_class.A.b.recall": 0.5,
        "per_class.A.b.auroc": None,
        "thresholds.per_class.A.b.threshold": -0.5,
        "thresholds.per_class.A.b.sensitivity": 1.0,
        "thresholds.per_class.A.b.validation.youden": 0.75,
        "thresholds.per_class.c.threshold": None,
        "thresholds.per_class.c.probability": None,
        "thresholds.per_class.c.sensitivity": None,
        "thresholds.per_class.c.specificity": None,
        "subgroups.sex.F.loss": 0.5,
        "subgroups.sex.F.per_class.c.recall": 0.1,
        "subgroups.sex.(none).loss": None,
    }


def test_what_an_edit_left_is_no_figure_and_is_listed():
    edited = {
        "accuracy": "1",
        "loss": True,
        "per_class": 5,
        "thresholds": {"per_class": {"A": "x"}},
        "subgroups": {"sex": {"rows": 3}, "age": 4, "kind": {"rows": [5]}},
    }
    assert flatten_figures(edited) == {}
    assert dict(list_figures(edited)) == {
        "accuracy": "1",
        "loss": True,
        "per_class": "5",
        "thresholds.per_class.A": "x",
        "subgroups.kind.(none)": "5",
    }
