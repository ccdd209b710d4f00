"""A paired comparison in words: why an interval is missing is said, and what there is one of."""

from __future__ import annotations

from cxr.reports.evaluation_text import describe_missing
from cxr.reports.paired_text import describe_tests, list_differences

FEW = {"a": 0.5, "b": 0.75, "difference": 0.25, "low": None, "high": None, "reason": "too few"}
SOME = {**FEW, "low": -0.1, "high": 0.3, "reason": None}
PAIRED = {
    "num_images": 1,
    "num_groups": 2,
    "level": 0.95,
    "figures": {"accuracy": FEW, "auroc": SOME, "loss": FEW},
    "decisions": {"only_first": 1, "only_second": 0, "p_value": 1.0, "method": "exact"},
    "auroc": None,
    "reason": "several images a patient",
}


def test_missing_intervals_have_a_reason():
    table = list_differences(PAIRED)
    assert table.title == "paired, 1 image of 2 patients"
    assert [row[-1] for row in table.rows] == ["", "-0.1000 to +0.3000", ""]
    assert describe_missing(PAIRED["figures"]) == ["no interval of accuracy, loss: too few"]
    assert describe_tests(PAIRED) == [
        "decisions: 1 right in a alone, 0 in b alone; p 1.0000 (exact)",
        "no DeLong test: several images a patient",
    ]
