from __future__ import annotations

import json
import re

import pytest

from cxr.config.load import load_config
from cxr.data.sources.open import open_source
from cxr.data.subgroup_values import read_subgroup_values
from cxr.errors import ConfigError, DataError
from cxr.records.data_lock import DataLock, Sample
from support.recipes import images, labels, write_recipe

ROWS = """path,patient,split,Edema,Effusion,Sex
a_bacteria_1.png,p1,train,1,0,F
b_virus_2.png,p2,test,0,1, M
c.png,p3,test,0,1,
"""


@pytest.fixture
def load(tmp_path):
    """Load the recipe of a table with subgroups; its images need only be there."""
    (tmp_path / "table.csv").write_text(ROWS)
    for name in ("a_bacteria_1.png", "b_virus_2.png", "c.png"):
        (tmp_path / name).touch()

    def build(subgroups, **changes):
        recipe = labels(tmp_path / "table.csv", evaluate={"subgroups": subgroups}, **changes)
        return load_config(write_recipe(tmp_path / "recipe.yaml", recipe))

    return build


def read(config):
    found = open_source(config.data).find()
    samples = tuple(
        Sample(path=one.path, bytes=0, sha256="x", label="-", group=one.group, split=one.split)
        for one in found
    )
    return read_subgroup_values(config, DataLock(classes=("Edema",), samples=samples))


def test_values_come_from_a_column_or_from_the_path(load):
    rules = {"sex": {"column": "Sex"}, "kind": {"pattern": "_(bacteria|virus)_"}}
    assert read(load(rules)) == {
        "sex": {"a_bacteria_1.png": "F", "b_virus_2.png": "M", "c.png": None},
        "kind": {"a_bacteria_1.png": "bacteria", "b_virus_2.png": "virus", "c.png": None},
    }
    assert read(load({})) == {}


def test_under_pseudonyms_values_are_those_of_the_real_names(load, tmp_path):
    key = tmp_path / "key"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o600)
    rules = {"sex": {"column": "Sex"}, "kind": {"pattern": "virus"}}
    found = read(load(rules, data__pseudonym_key=str(key)))
    assert sorted(map(str, found["sex"].values())) == ["F", "M", "None"]
    assert sorted(map(str, found["kind"].values())) == ["None", "None", "virus"]
    assert all(re.fullmatch(r"[0-9a-f]{16}\.png", path) for path in found["sex"])


def test_a_column_that_is_not_there_is_named_with_its_field(load):
    with pytest.raises(DataError, match="no column 'sex'") as caught:
        read(load({"sex": {"column": "sex"}}))
    assert "evaluate.subgroups.sex.column: 'sex' (did you mean 'Sex'?)" in caught.value.where


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"x": {}}, "evaluate.subgroups.x"),
        ({"x": {"column": "Sex", "pattern": "a"}}, "evaluate.subgroups.x"),
        ({"x": {"pattern": "("}}, "not a regular expression"),
        ({"x": {"colour": "red"}}, "evaluate.subgroups.x"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_its_name(load, rules, said):
    with pytest.raises(ConfigError) as caught:
        load(rules)
    assert said in caught.value.where


def test_folders_have_no_columns(tmp_path):
    recipe = images(tmp_path, evaluate={"subgroups": {"sex": {"column": "Sex"}}})
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "recipe.yaml")
    assert "folder has no columns" in caught.value.where
