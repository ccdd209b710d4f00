"""The tables of ``cxr evaluate`` can be read at 80 columns, however many classes there are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cxr.cli.evaluate import show_classes, show_evaluation
from cxr.determinism.levels import Level
from cxr.evaluation.describe import describe_evaluation
from cxr.evaluation.intervals import derive_intervals
from cxr.records.data_lock import DataLock, Sample
from cxr.records.predictions import Prediction

FOURTEEN = [f"{'A long name of a class'[: 8 + number]}{number}" for number in range(14)]


@pytest.mark.parametrize(
    "classes",
    [["NORMAL", "PNEUMONIA"], FOURTEEN, ["a name that goes on and on and on for long", "other"]],
    ids=["two", "fourteen", "long"],
)
def test_no_figure_is_folded(classes: list[str], capsys: pytest.CaptureFixture[str]):
    figures = {"support": 1234, "precision": 0.5, "recall": 0.5, "specificity": 0.5, "f1": None}
    place = range(len(classes))
    show_classes(
        {
            "per_class": dict.fromkeys(classes, figures),
            "confusion": [[1234 if row == column else 7 for column in place] for row in place],
        }
    )
    first, second = capsys.readouterr().out.split("confusion: rows are true, columns are decided:")
    lines = [line.split() for line in first.splitlines()]
    assert lines[1] == ["class", "images", "precision", "recall", "specificity", "f1"]
    shown = ["1234", "0.5000", "0.5000", "0.5000", "undefined"]
    assert [line[-5:] for line in lines[3:]] == [shown] * len(classes)
    header, _, *rows = second.splitlines()[1:]
    assert max(map(len, (header, *rows))) <= 80
    assert [row.split().count("1234") for row in rows] == [1] * len(classes)
    if len(classes) == len(FOURTEEN):
        assert header.split() == [str(number) for number in range(1, 15)]
        assert lines[3][0] == "1"
        assert lines[16][0] == "14"


def test_the_names_of_two_classes_head_the_columns(capsys: pytest.CaptureFixture[str]):
    figures = {"support": 1, "precision": 1.0, "recall": 1.0, "specificity": 1.0, "f1": 1.0}
    classes = ["NORMAL", "PNEUMONIA"]
    show_classes({"per_class": dict.fromkeys(classes, figures), "confusion": [[1, 0], [0, 1]]})
    assert ["NORMAL", "PNEUMONIA"] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]


def test_all_that_is_shown_fits_80_columns_and_says_what_is_undefined(
    capsys: pytest.CaptureFixture[str],
):
    found = describe_found()
    show_evaluation(found)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "undefined: auroc, average_precision: no image has the class" in text
    assert "no thresholds: there is no validation split" in text
    assert "by kind: 1 value not shown: small (below 10 patients)" in text
    assert "look 3 at the test split of this run" in text
    assert "strict does not promise equal bits then" in text
    assert "14 of 15 bins are empty" in text


def describe_found() -> SimpleNamespace:
    """What an evaluation of one image found, in other batches than the run's."""
    classes = ["a name that goes on and on and on for long", "other"]
    row = Prediction(
        path="x",
        label=classes[1],
        decision=classes[1],
        logits=("0.0", "1.0"),
        probabilities=(0.25, 0.75),
    )
    sample = Sample(path="x", bytes=1, sha256="x", label="other", group="p", split="test")
    lock = DataLock(classes=tuple(classes), samples=(sample,))
    metrics = describe_evaluation(lock, [row], None, {"kind": {"x": "v"}}, level=Level.STRICT)
    manifest = {
        "metrics": {"split": "test", **metrics},
        "intervals": derive_intervals(classes, [row], {"x": "p"}, seed=1, replicates=20),
        "batch_size": {"used": 8, "of_run": 64, "affects_bits": "unknown"},
        "split": "test",
        "determinism": "strict",
    }
    return SimpleNamespace(
        directory="runs/a/evaluations/test-1",
        manifest=manifest,
        same_as_run=False,
        is_promised=False,
        num_looks=3,
    )
