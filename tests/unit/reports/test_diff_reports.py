from __future__ import annotations

import pytest

from cxr.compare.report import (
    BisectReport,
    Difference,
    DiffReport,
    Divergence,
    PredictionChange,
    ReplayedOp,
    ReplayReport,
)
from cxr.reports.diff_markdown import render_markdown
from cxr.reports.diff_text import (
    describe_findings,
    describe_other_figures,
    describe_predictions,
    list_figure_rows,
)

SIZE = {
    "shape": [50, 128],
    "dtype": "float32",
    "elements": 6400,
    "differing": 12,
    "largest_difference": 1.25e-7,
}


def build_op(**changes):
    plain = {
        "number": 3,
        "op": "aten.addmm.default",
        "module": "backbone.1",
        "backward": False,
        "other_op": None,
        "output": 0,
        "tensor": None,
        "size": SIZE,
    }
    return ReplayedOp(**{**plain, **changes})


def build(**changes):
    plain = {
        "verdict": "different",
        "first_divergence": Divergence(step=7, epoch=1, what="gradients", tensor="fc.weight"),
        "differences": [
            Difference(part="config", field="threads", a=1, b=2, affects_bits="yes", cause=True)
        ],
        "metrics": {"auroc": {"a": 0.5, "b": None, "difference": None}},
        "predictions": PredictionChange(
            images=4, changed_decisions=1, largest_probability_change=0.125
        ),
    }
    return DiffReport(**{**plain, **changes})


def test_a_table_has_the_main_figures_those_with_a_tolerance_or_all():
    names = ("auroc", "loss", "brier_score", "per_class.A.auroc", "per_class.B.auroc")
    metrics = {name: {"a": 0.5, "b": 0.75, "difference": 0.25} for name in names}
    plain = build(metrics=metrics)
    assert [row[0] for row in list_figure_rows(plain)[1]] == ["auroc", "loss"]
    assert describe_other_figures(plain) == "and 3 more figures: --figures all"
    assert [row[0] for row in list_figure_rows(plain, every=True)[1]] == list(names)
    assert describe_other_figures(plain, every=True) is None
    asked = build(metrics=metrics, tolerances={"per_class.A.auroc": 0.125, "loss": 0.25})
    assert [row[0] for row in list_figure_rows(asked)[1]] == ["auroc", "loss", "per_class.A.auroc"]
    assert describe_other_figures(asked) == "and 2 more figures: --figures all"
    page = render_markdown(asked, "a", "b")
    assert "beyond its tolerance: per_class.A.auroc by 0.25, 0.125 allowed" in page
    assert "loss by" not in page
    assert "`per_class.B.auroc`" not in page
    assert "`per_class.B.auroc`" in render_markdown(asked, "a", "b", every_figure=True)


def test_runs_that_share_no_image_are_not_said_to_agree():
    none = PredictionChange(images=0, changed_decisions=0, largest_probability_change=0.0)
    assert describe_predictions(build(predictions=none)) == "no image was predicted by both"
    page = render_markdown(build(predictions=none), "a", "b")
    assert "no image was predicted by both" in page
    assert "0 of 0" not in page


def test_a_comparison_alone_says_where_the_runs_parted():
    assert describe_findings(build()) == [
        "first divergence: epoch 1, step 7, gradients (fc.weight)"
    ]
    initial = Divergence(step=-1, epoch=-1, what="random", tensor=None)
    assert describe_findings(build(first_divergence=initial)) == [
        "first divergence: the initial state, random"
    ]


@pytest.mark.parametrize(
    ("op", "lines"),
    [
        (
            build_op(),
            [
                "first op that differs: aten.addmm.default of backbone.1",
                "by how much: output 0 (50x128), 12 of 6,400 elements, by at most 1.25e-07",
            ],
        ),
        (
            build_op(backward=True, size={**SIZE, "shape": [2], "largest_difference": None}),
            [
                "first op that differs: aten.addmm.default of backbone.1 (backward)",
                "by how much: output 0 (2), 12 of 6,400 elements, not all of them numbers",
            ],
        ),
        (
            build_op(module="", other_op="aten.flip.default", output=None, size={}),
            [
                "first op that differs: aten.addmm.default",
                "in its place the other run has: aten.flip.default",
            ],
        ),
        (
            build_op(tensor="gradient of fc.weight"),
            [
                "first op that differs: aten.addmm.default of backbone.1",
                (
                    "by how much: gradient of fc.weight (50x128), 12 of 6,400 elements, "
                    "by at most 1.25e-07"
                ),
            ],
        ),
        (
            build_op(size={**SIZE, "differing": None}),
            ["first op that differs: aten.addmm.default of backbone.1"],
        ),
    ],
)
def test_the_op_is_named_with_its_module_and_how_much_it_differs(op, lines):
    found = describe_findings(build(replay=ReplayReport(step=7, op=op)))
    assert found[1:] == ["replay: both runs repeat here up to step 7", *lines]


@pytest.mark.parametrize(
    ("bisect", "lines"),
    [
        (
            BisectReport(tried=1, causes=["threads"], not_exchanged=[]),
            ["cause: threads (1 try)"],
        ),
        (
            BisectReport(
                tried=5, causes=["threads", "seed"], not_exchanged=["environment cpu.model"]
            ),
            ["cause: threads with seed (5 tries)", "not exchanged: environment cpu.model"],
        ),
        (
            BisectReport(tried=2, causes=[], not_exchanged=[]),
            ["cause: none of what was exchanged (2 tries)"],
        ),
        (
            BisectReport(tried=0, causes=[], not_exchanged=[]),
            ["cause: nothing that can be exchanged differs"],
        ),
    ],
)
def test_the_cause_is_named_or_why_there_is_none(bisect, lines):
    assert describe_findings(build(bisect=bisect))[1:] == lines


def test_markdown_says_it_in_tables():
    bisect = BisectReport(tried=1, causes=["threads"], not_exchanged=[])
    assert render_markdown(build(bisect=bisect), "runs/a", "runs/b").splitlines() == [
        "## different",
        "",
        "- a: `runs/a`",
        "- b: `runs/b`",
        "- first divergence: epoch 1, step 7, gradients (fc.weight)",
        "- cause: threads (1 try)",
        "",
        "### What went in differently",
        "",
        "| part | field | a | b | bits | cause |",
        "| --- | --- | --- | --- | --- | --- |",
        "| `config` | `threads` | `1` | `2` | `yes` | `yes` |",
        "",
        "### Figures",
        "",
        "| metric | a | b | b - a |",
        "| --- | --- | --- | --- |",
        "| `auroc` | `0.5` | `undefined` | `undefined` |",
        "",
        "1 of 4 decisions changed; largest change of a probability 0.125",
    ]


def test_nothing_in_a_name_or_a_value_is_read_as_markdown():
    value = Difference(part="data", field="a|b`c\n# d", a="``", b="", affects_bits="yes")
    text = render_markdown(build(differences=[value], metrics={}), "a`b", "x")
    assert "- a: ``a`b``" in text
    assert "| `data` | ``a\\|b`c # d`` | ``` `` ``` | `  ` | `yes` |" in text


def test_what_a_terminal_would_obey_is_escaped():
    metrics = {"loss\x1b[31m": {"a": 0.5, "b": 0.75, "difference": 0.25}}
    report = build(metrics=metrics, tolerances={"loss\x1b[31m": 0.1})
    said = [*render_markdown(report, "a", "b").splitlines(), *describe_findings(report)]
    # The table of Markdown, and the line about the tolerance in either form.
    assert sum(r"loss\x1b[31m" in line for line in said) == 3
    assert not any("\x1b" in line for line in said)


def test_identical_runs_have_a_verdict_and_no_figures():
    same = build(verdict="identical", first_divergence=None, differences=[])
    assert render_markdown(same, "a", "b") == "## identical\n\n- a: `a`\n- b: `b`\n"
