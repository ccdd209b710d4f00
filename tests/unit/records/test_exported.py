from __future__ import annotations

import json
from pathlib import Path

import pytest

from cxr.errors import RecordError
from cxr.records.exported import derive_classes, is_export, load_exported_classes
from cxr.records.run_config import load_recorded_recipe
from support.fabricated_runs import make_run  # noqa: F401 - a fixture
from support.recipes import images, load_recipe
from support.releases import write_small_export


@pytest.fixture
def export(make_run, tmp_path: Path) -> Path:  # noqa: F811 - the fixture
    return write_small_export(make_run(computed=True), tmp_path / "export")


def load_manifest(export: Path) -> dict:
    return json.loads((export / "manifest.json").read_bytes())


def test_recipe_and_classes_of_an_export_are_those_of_its_run(export):
    manifest = load_manifest(export)
    config = load_recorded_recipe(export, manifest)
    assert config.model.name == "test_resnet"
    assert load_exported_classes(export, manifest, config) == ("A", "B")


def test_another_recipe_is_refused(export):
    path = export / "recipe.yaml"
    path.write_text(path.read_text().replace("seed: 1", "seed: 2"))
    with pytest.raises(RecordError, match="not the one that the run was trained with"):
        load_recorded_recipe(export, load_manifest(export))


@pytest.mark.parametrize("labels", [["B", "A"], ["A"], ["A", "C"], None, "AB"])
def test_other_class_names_or_another_order_are_refused(export, labels):
    manifest = load_manifest(export)
    (export / "labels.json").write_text(json.dumps({"labels": labels}))
    with pytest.raises(RecordError, match="the class names, or their order"):
        load_exported_classes(export, manifest, load_recorded_recipe(export, manifest))


def test_numbers_that_stand_for_classes_are_in_their_order(radiographs):
    config = load_recipe(images(radiographs, data__classes=[]))
    per_class = {str(number): {} for number in (10, 9, 0)}
    assert derive_classes({"metrics": {"per_class": per_class}}, config) == ("0", "9", "10")


def test_a_run_directory_is_no_export_even_with_a_file_of_that_name(make_run):  # noqa: F811
    run = make_run(computed=True)
    assert not is_export(run)
    (run / "export.json").write_text("{}")
    assert not is_export(run)
