"""The tables of ``cxr evaluate`` can be read at 80 columns, however many classes there are."""

from __future__ import annotations

import pytest

from cxr.cli.evaluate import show_classes

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
