from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from cxr.config.fields import digest_config, find_recipe_fields, flatten_config
from cxr.config.load import dump_config, load_config
from cxr.config.strict_yaml import load_document, read_scalar
from cxr.errors import ConfigError
from properties.strategies import config_names, config_trees, examples, yaml_texts


@contextlib.contextmanager
def written(text):
    """Write a text to a file of its own, as bytes."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "c.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        yield path


@given(config_trees)
@examples(max_examples=80)
def test_a_dumped_config_loads_as_the_same_config(tree):
    # JSON is YAML, with every text in quotes.
    with written(json.dumps(tree)) as path:
        config = load_config(path)
        path.write_text(dump_config(config, path.parent), encoding="utf-8")
        again = load_config(path)
    assert again == config
    assert digest_config(again) == digest_config(config)
    assert flatten_config(again) == flatten_config(config)


@given(config_trees)
@examples(max_examples=50)
def test_flat_fields_hold_what_the_tree_says(tree):
    with written(json.dumps(tree)) as path:
        config = load_config(path)
    flat = flatten_config(config)
    assert flat["seed"] == tree["seed"]
    assert flat["data.classes"] == tree["data"]["classes"]
    for name, value in tree["train"].items():
        assert flat[f"train.{name}"] == value
    recipe = find_recipe_fields(config)
    assert recipe.items() <= flat.items()


@given(config_trees, config_names, st.integers(0, 256), config_names)
@examples(max_examples=50)
def test_names_workers_and_places_never_change_the_digest(tree, name, workers, root):
    moved = {**tree, "name": name, "workers": workers, "data": {**tree["data"], "root": root}}
    digests = []
    for given_tree in (tree, moved):
        with written(json.dumps(given_tree)) as path:
            digests.append(digest_config(load_config(path)))
    assert digests[0] == digests[1]


@given(config_trees, config_trees)
@examples(max_examples=50)
def test_equal_digests_are_equal_recipes(a, b):
    configs = []
    for tree in (a, b):
        with written(json.dumps(tree)) as path:
            configs.append(load_config(path))
    recipes = [find_recipe_fields(config) for config in configs]
    digests = [digest_config(config) for config in configs]
    assert (digests[0] == digests[1]) is (recipes[0] == recipes[1])


@given(yaml_texts | st.binary(max_size=40))
@example(b"\xff")
@example("!!binary aGk=")
@example("a: !!bool x")
@examples(max_examples=300)
def test_no_text_makes_the_reader_crash(text):
    with written(text) as path:
        document = load_document(path)
    assert type(document.data) is dict
    json.dumps(document.data)


@given(yaml_texts)
@examples(max_examples=150)
def test_no_text_makes_loading_crash(text):
    with written(f"seed: 1\n{text}\n") as path, contextlib.suppress(ConfigError):
        load_config(path)


@given(yaml_texts)
@example("!!binary aGk=")
@example("!!bool x")
@example("&a [*a]")
@examples(max_examples=300)
def test_no_value_given_on_the_command_line_makes_the_reader_crash(text):
    with contextlib.suppress(yaml.YAMLError, ValueError):
        json.dumps(read_scalar(text))
