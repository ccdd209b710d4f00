from __future__ import annotations

import json
from pathlib import Path

import pytest

from cxr.config.load import load_config
from cxr.config.strict_yaml import load_document
from cxr.errors import RecordError, UsageError
from cxr.evaluation.reference import flatten_figures, hold_against, load_reference

ROOT = Path(__file__).parents[3]
METRICS = {
    "split": "test",
    "accuracy": 0.75,
    "auroc": None,
    "loss": 0.5,
    "num_images": 8,
    "per_class": {"A": {"support": 4, "recall": 0.5, "precision": None}},
}


@pytest.fixture
def golden(tmp_path):
    path = tmp_path / "golden.json"
    path.write_text(json.dumps({"run": "runs/a", "metrics": METRICS}))
    return path


def hold(path, metrics, **asked):
    return hold_against(metrics, load_reference(path, "mine", asked))


def list_outside(held):
    return [one.name for one in held if not one.is_within]


def test_figures_of_a_golden_are_equal_to_the_bit_unless_a_tolerance_is_asked_for(golden):
    held = hold(golden, METRICS)
    names = ["accuracy", "auroc", "loss", "per_class.A.precision", "per_class.A.recall"]
    assert [one.name for one in held] == names
    assert list_outside(held) == []
    assert list_outside(hold(golden, METRICS | {"loss": 0.5 + 2e-16})) == ["loss"]


def test_only_figures_with_a_tolerance_are_held_where_there_are_some(golden):
    other = METRICS | {"accuracy": 0.74, "loss": 9.0}
    assert list_outside(hold(golden, other, accuracy=0.02)) == []
    assert list_outside(hold(golden, other, accuracy=0.005)) == ["accuracy"]
    classes = {"A": {"support": 4, "recall": 0.4, "precision": None}}
    held = hold(golden, METRICS | {"per_class": classes}, **{"per_class.A.recall": 0.05})
    assert list_outside(held) == ["per_class.A.recall"]


@pytest.mark.parametrize(("name", "value"), [("auroc", 0.5), ("accuracy", None)])
def test_an_undefined_figure_is_within_where_it_should_be_undefined_alone(golden, name, value):
    assert list_outside(hold(golden, METRICS | {name: value}, **{name: 1.0})) == [name]


def test_a_tolerance_of_a_figure_that_the_file_has_not_is_a_usage_error(golden):
    with pytest.raises(UsageError, match="'brier_score'"):
        load_reference(golden, "mine", {"brier_score": 0.1})


def test_a_figure_that_the_run_has_not_or_another_split_cannot_be_held(golden):
    less = {name: value for name, value in METRICS.items() if name != "loss"}
    with pytest.raises(RecordError, match="no figure 'loss'"):
        hold(golden, less)
    with pytest.raises(RecordError, match="the split test, not val"):
        hold(golden, METRICS | {"split": "val"})


TABLE = """
schema: cxr.benchmarks/1
configs:
  mine:
    split: test
    figures:
      accuracy: {value: 0.74, tolerance: 0.02}
      loss: {value: 1, tolerance: 0.1}
"""


def test_a_table_has_its_own_tolerances_and_the_asked_ones_go_before(tmp_path):
    path = tmp_path / "table.yaml"
    path.write_text(TABLE)
    assert list_outside(hold(path, METRICS)) == ["loss"]
    assert list_outside(hold(path, METRICS, loss=0.6)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("mine:", "other:"), "no figures of the config 'mine'"),
        (("benchmarks/1", "benchmarks/9"), "no table of the schema"),
        (("tolerance: 0.02", "tolerance: -1"), "no number, or below 0"),
        (("tolerance: 0.02", "tol: 1"), "needs value and tolerance"),
        (("value: 1,", "value: yes,"), "no number"),
        (("split: test", "split: 3"), "which split"),
        (("figures:", "numbers:"), "has no figures"),
        (("loss:", "accuracy:"), "stands twice"),
        (("configs:", "configs: 3\nx:"), "no table of the schema"),
    ],
)
def test_a_table_that_is_none_is_refused_by_name(tmp_path, change, said):
    path = tmp_path / "table.yaml"
    path.write_text(TABLE.replace(*change))
    with pytest.raises(RecordError, match=said):
        load_reference(path, "mine", {})


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"metrics": 3}', '{"metrics": {"split": "test", "auroc": "x"}}']
)
def test_a_file_without_figures_is_refused(tmp_path, text):
    path = tmp_path / "golden.json"
    path.write_text(text)
    with pytest.raises(RecordError):
        load_reference(path, "mine", {})
    with pytest.raises(RecordError):
        load_reference(tmp_path / "missing.yaml", "mine", {})


def test_every_published_figure_is_of_a_config_that_there_is_and_stands_on_its_page():
    table = ROOT / "docs" / "benchmarks.yaml"
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    names = list(load_document(table).data["configs"])
    assert len(names) == 2
    for name in names:
        config = load_config(ROOT / "configs" / f"{name}.yaml")
        found = load_reference(table, config.name, {})
        assert found.split == config.evaluate.split
        assert flatten_figures(found.figures).keys() == found.figures.keys()
        for value in found.figures.values():
            assert f"{value:.4f}" in page
