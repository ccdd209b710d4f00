from __future__ import annotations

import json

import pytest

from cxr.config.acting import CONDITIONS
from cxr.config.explain import list_fields
from cxr.config.fields import digest_config, find_recipe_fields, flatten_config
from cxr.config.schema import RunConfig
from cxr.digests.canonical import canonical_json, digest_json

BASE = {
    "seed": 1,
    "threads": 1,
    "data": {"source": "folder", "root": "images", "classes": ["a", "b"]},
    "model": {"name": "test_resnet"},
    "train": {"epochs": 1, "batch_size": 4},
}
WEIGHTS = {"source": "file", "path": "w.safetensors", "sha256": "sha256:" + "0" * 64}

# What each field may be changed to, and the levels at which that changes the recipe's digest.
PORTABLE = {"portable"}
NEVER, NATIVE, ALWAYS = set(), {"warn", "strict"}, {"warn", "strict", "portable"}
EFFECTS = [
    ("name", "other", NEVER),
    ("seed", 2, ALWAYS),
    *((f"streams.{name}", 2, ALWAYS) for name in ("init", "order", "augment", "step")),
    ("portable.slices", 2, PORTABLE),
    ("threads", 2, NATIVE),
    ("workers", 4, NEVER),
    ("evaluate.subgroups", {"kind": {"pattern": "_(virus)_"}}, NEVER),
    ("device", "cuda", NATIVE),
    ("fill_memory", True, NATIVE),
    ("data.root", "elsewhere", NEVER),
    ("data.cache_dir", "elsewhere", NEVER),
    ("data.source", "synthetic", ALWAYS),
    ("data.lock", "data.lock.json", NEVER),
    ("data.layout", "classes", ALWAYS),
    ("data.test_fraction", 0.25, ALWAYS),
    ("data.window.kind", "percentile", ALWAYS),
    ("data.window.low", 1.0, ALWAYS),
    ("data.window.high", 2.0, ALWAYS),
    ("data.pseudonym_key", "key", NEVER),
    ("data.accept", ["alpha"], NEVER),
    ("data.expect.min_samples", 1, NEVER),
    ("data.expect.counts", {"train": {"a": 1}}, NEVER),
    ("data.expect.size", [8, 8], NEVER),
    ("data.expect.features", 64, NEVER),
    ("data.csv.file", "table.csv", NEVER),
    ("data.csv.path", "image", ALWAYS),
    ("data.csv.suffix", ".png", ALWAYS),
    ("data.csv.label", "finding", ALWAYS),
    ("data.csv.label_separator", ";", ALWAYS),
    ("data.csv.ignored_labels", ["none"], ALWAYS),
    ("data.csv.group", "patient", ALWAYS),
    ("data.csv.split", "part", ALWAYS),
    ("data.csv.split_names", {"a": "train"}, ALWAYS),
    ("data.csv.uncertain", "ones", ALWAYS),
    ("data.csv.blank", "ones", ALWAYS),
    ("data.csv.repeats", "same", ALWAYS),
    ("data.classes", ["b", "a"], ALWAYS),
    ("data.class_globs", {"a": "x*", "b": "y*"}, ALWAYS),
    ("data.group_pattern", "(.)", ALWAYS),
    ("data.validation_fraction", 0.25, ALWAYS),
    ("data.split_seed", 1, ALWAYS),
    ("data.image_size", 32, ALWAYS),
    ("data.channels", 3, ALWAYS),
    ("data.resample", "bicubic", ALWAYS),
    ("data.mean", 0.25, ALWAYS),
    ("data.std", 0.5, ALWAYS),
    ("data.synthetic.seed", 1, ALWAYS),
    ("data.synthetic.train", 1, ALWAYS),
    ("data.synthetic.val", 1, ALWAYS),
    ("data.synthetic.test", 1, ALWAYS),
    ("data.synthetic.noise", 1, ALWAYS),
    ("model.name", "resnet18", ALWAYS),
    ("model.weights", WEIGHTS, NEVER),
    ("model.freeze", "backbone", ALWAYS),
    ("model.hidden", [1], ALWAYS),
    ("model.drop_rate", 0.5, ALWAYS),
    ("model.drop_path_rate", 0.5, ALWAYS),
    ("train.epochs", 2, ALWAYS),
    ("train.batch_size", 8, ALWAYS),
    ("train.shards", 2, ALWAYS),
    ("train.optimizer", "sgd", ALWAYS),
    ("train.loss", "bce", ALWAYS),
    ("train.lr", 0.5, ALWAYS),
    ("train.min_lr", 1e-5, ALWAYS),
    ("train.weight_decay", 0.0, ALWAYS),
    ("train.momentum", 0.5, ALWAYS),
    ("train.nesterov", True, ALWAYS),
    ("train.betas", [0.9, 0.99], ALWAYS),
    ("train.eps", 1e-7, ALWAYS),
    ("train.schedule", "cosine", ALWAYS),
    ("train.warmup_epochs", 0.5, ALWAYS),
    ("train.class_weights", "balanced", ALWAYS),
    ("train.label_smoothing", 0.1, ALWAYS),
    ("train.precision", "bfloat16", ALWAYS),
    ("train.augment.flip", True, ALWAYS),
    ("train.augment.pad", 1, ALWAYS),
    ("train.augment.zoom", 0.1, ALWAYS),
    ("train.augment.brightness", 0.1, ALWAYS),
    ("train.augment.contrast", 0.1, ALWAYS),
    ("train.monitor", "loss", ALWAYS),
    ("train.keep_weights", "last", ALWAYS),
    ("train.patience", 3, ALWAYS),
    ("train.double_every", 7, NEVER),
    ("train.tensor_digests_every", 5, NEVER),
    ("train.checkpoint_every", 2, NEVER),
    ("train.keep_checkpoints", 1, NEVER),
    ("evaluate.split", "val", ALWAYS),
    ("evaluate.batch_size", 8, NATIVE),
]
HELD_OUT = {"data.validation_fraction": 0.25}
VECTORS = {"data.source": "synthetic"}
TABLE = {"data.source": "csv"}
WINDOWED = {"data.window.kind": "range"}
SGD = {"train.optimizer": "sgd"}
ACTS_BESIDE = {
    "streams.augment": {"train.augment.flip": True},
    "data.group_pattern": HELD_OUT,
    "data.split_seed": HELD_OUT,
    "data.window.low": WINDOWED,
    "data.window.high": WINDOWED,
    "data.csv.path": TABLE,
    "data.csv.suffix": TABLE,
    "data.csv.label": TABLE,
    "data.csv.label_separator": TABLE,
    "data.csv.ignored_labels": TABLE,
    "data.csv.group": TABLE,
    "data.csv.split": TABLE,
    "data.csv.split_names": TABLE,
    "data.csv.uncertain": TABLE,
    "data.csv.blank": TABLE,
    "data.csv.repeats": TABLE,
    "data.synthetic.seed": VECTORS,
    "data.synthetic.train": VECTORS,
    "data.synthetic.val": VECTORS,
    "data.synthetic.test": VECTORS,
    "data.synthetic.noise": VECTORS,
    "model.hidden": {"model.name": "mlp"},
    "train.momentum": SGD,
    "train.nesterov": SGD,
    "train.min_lr": {"train.schedule": "cosine"},
}
"""Fields that do not act in `BASE`, and beside what they do."""
SILENCED_BY = [
    ("data.resample", VECTORS),
    ("model.drop_path_rate", {"model.name": "mlp"}),
    ("train.betas", SGD),
    ("train.eps", SGD),
    ("train.monitor", {"train.keep_weights": "last"}),
    ("data.csv.uncertain", {**TABLE, "data.csv.label": "finding"}),
    ("data.csv.blank", {**TABLE, "data.csv.label": "finding"}),
]
"""Fields that act in `BASE`, and beside what they do not."""


def build(level="strict", **changes):
    """Build a config from dotted names with values."""
    tree = json.loads(json.dumps({**BASE, "determinism": level}))
    for dotted, value in changes.items():
        *sections, last = dotted.split(".")
        holder = tree
        for section in sections:
            holder = holder.setdefault(section, {})
        holder[last] = value
    return RunConfig.model_validate_json(json.dumps(tree))


@pytest.mark.parametrize("level", ["warn", "strict", "portable"])
@pytest.mark.parametrize(("field", "value", "levels"), EFFECTS)
def test_a_field_changes_the_digest_at_its_levels_and_no_other(level, field, value, levels):
    beside = ACTS_BESIDE.get(field, {})
    before, after = build(level, **beside), build(level, **beside, **{field: value})
    assert before != after
    assert (digest_config(before) != digest_config(after)) is (level in levels)


@pytest.mark.parametrize(("field", "beside"), [*((f, {}) for f in ACTS_BESIDE), *SILENCED_BY])
def test_a_field_that_does_not_act_is_no_part_of_the_recipe(field, beside):
    (value,) = [value for name, value, _ in EFFECTS if name == field]
    before, after = build(**beside), build(**beside, **{field: value})
    assert before != after
    assert digest_config(before) == digest_config(after)


def test_the_figure_that_stops_early_acts_whichever_weights_are_kept():
    beside = {"train.keep_weights": "last", "train.patience": 2}
    after = build(**beside, **{"train.monitor": "loss"})
    assert digest_config(build(**beside)) != digest_config(after)


def test_every_field_with_a_condition_is_a_field():
    fields = list_fields()
    for name in (name for condition in CONDITIONS for name in condition.fields):
        assert any(field == name or field.startswith(name) for field in fields), name


def test_every_field_has_a_row_in_the_table_above():
    fields = {name for name in list_fields() if not name.startswith("model.weights.")}
    assert {name for name, _, _ in EFFECTS} | {"determinism"} == fields


def test_the_level_itself_is_part_of_the_recipe():
    assert len({digest_config(build(level)) for level in ("warn", "strict", "portable")}) == 3


@pytest.mark.parametrize(
    "other",
    [
        {**WEIGHTS, "path": "moved.safetensors"},
        {**WEIGHTS, "sha256": "sha256:" + "1" * 64},
        {"source": "hub", "repo": "group/model", "revision": "a" * 40},
        None,
    ],
)
def test_where_weights_come_from_does_not_matter_to_the_config(other):
    before, after = build(**{"model.weights": WEIGHTS}), build(**{"model.weights": other})
    assert before != after
    assert digest_config(before) == digest_config(after)


def test_defaults_are_left_out_of_the_recipe():
    assert find_recipe_fields(build()) == {
        "seed": 1,
        "threads": 1,
        "data.source": "folder",
        "data.classes": ["a", "b"],
        "model.name": "test_resnet",
        "train.epochs": 1,
        "train.batch_size": 4,
    }


def test_a_default_that_is_written_out_does_not_change_the_digest():
    written = build(
        **{
            "name": "run",
            "determinism": "strict",
            "data.image_size": 64,
            "data.mean": 0.5,
            "model.weights": None,
            "model.hidden": [128],
            "train.lr": 0.001,
            "train.betas": [0.9, 0.999],
            "train.class_weights": "none",
            "train.augment.flip": False,
        }
    )
    assert digest_config(written) == digest_config(build())


def test_the_digest_is_that_of_the_fields_and_stays_as_it_is():
    config = build()
    assert digest_config(config) == digest_json(find_recipe_fields(config))
    assert digest_config(config) == (
        "sha256:c5b437b5279fdf3541e6ed4ab800ac8a4b7e2e0851e53cab1877df313e056594"
    )


def test_flat_fields_are_every_field_as_json_holds_it():
    flat = flatten_config(build(**{"determinism": "warn", "model.hidden": [1, 2]}))
    assert flat.keys() == {name for name in list_fields() if "model.weights." not in name}
    assert flat["determinism"] == "warn"
    assert type(flat["determinism"]) is str
    assert flat["model.hidden"] == [1, 2]
    assert flat["data.root"] == "images"
    assert flat["model.weights"] is None
    assert json.loads(canonical_json(flat)) == flat


def test_flat_fields_of_weights_stand_one_by_one():
    flat = flatten_config(build(**{"model.weights": WEIGHTS}))
    found = {name: value for name, value in flat.items() if name.startswith("model.weights")}
    assert found == {f"model.weights.{name}": value for name, value in WEIGHTS.items()}


def test_fields_are_listed_once_by_their_dotted_names():
    fields = list_fields()
    assert len(set(fields)) == len(fields)
    assert {"seed", "train.lr", "train.augment.pad", "data.synthetic.noise"} <= set(fields)
    assert {"model.weights.path", "model.weights.repo", "model.weights.sha256"} <= set(fields)
    assert "train" not in fields
