from __future__ import annotations

import pytest

from cxr.config.load import load_config
from cxr.errors import ConfigError

FOLDER = """\
seed: 1
threads: 1
data:
  source: folder
  root: images
  classes: [a, b]
model:
  name: test_resnet
train:
  epochs: 2
  batch_size: 8
"""
SYNTHETIC = """\
seed: 1
threads: 1
data:
  source: synthetic
  image_size: 28
model:
  name: mlp
train:
  epochs: 2
  batch_size: 8
"""
NPZ = FOLDER.replace("source: folder", "source: npz")
TABLE = FOLDER.replace("source: folder", "source: csv").replace(
    "root: images", "csv: {file: t.csv, label: finding}"
)
LABELS = TABLE.replace(", label: finding", "") + "  loss: bce\n"
NESTED = "(" * 20_000 + ")" * 20_000


@pytest.fixture
def load(tmp_path):
    def load(text, overrides=()):
        path = tmp_path / "c.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, overrides)

    return load


def refuse(load, text, overrides):
    with pytest.raises(ConfigError) as caught:
        load(text, overrides)
    return [line.strip() for line in caught.value.where.splitlines()]


@pytest.mark.parametrize(
    ("text", "change", "key", "message"),
    [
        (FOLDER, "data.root=null", "data.root", "a folder source needs data.root"),
        (FOLDER, "data.classes=[a]", "data.classes", "needs at least two classes"),
        (FOLDER, "data.classes=[a, b, a]", "data.classes", "a class stands twice"),
        (FOLDER, "data.group_pattern='('", "data.group_pattern", "not a regular expression"),
        (FOLDER, "data.group_pattern='a{99999999999999999999}'", "data.group_pattern", "not a reg"),
        (FOLDER, "data.window={kind: range, low: 1}", "data.window", "range needs low and high"),
        (FOLDER, "data.window={kind: range, low: 2, high: 2}", "data.window.low", "must be below"),
        (
            FOLDER,
            "data.window={kind: percentile, low: 1, high: 101}",
            "data.window",
            "percentiles are from 0 to 100",
        ),
        (SYNTHETIC, "data.pseudonym_key=key", "data.pseudonym_key", "the samples of synth"),
        (
            FOLDER,
            f"data.group_pattern='{NESTED}'",
            "data.group_pattern",
            "not a regular expression",
        ),
        (FOLDER, "data.class_globs={a: x}", "data.class_globs", "must have one glob for each"),
        (FOLDER, "data.expect.counts={train: {c: 1}}", "data.expect.counts", "no such class: c"),
        (
            FOLDER,
            "data.expect.counts={all: {a: 1}}",
            "data.expect.counts.all.[key]",
            "should be 'train', 'val' or 'test'",
        ),
        (FOLDER, "data.expect.counts={test: {a: -1}}", "data.expect.counts", "a count is below"),
        (FOLDER, "data.expect.size=[28, 0]", "data.expect.size", "a side is below 1 px"),
        (
            FOLDER,
            "data.expect={size: [28, 28], features: 783}",
            "data.expect.features",
            "is not width x height",
        ),
        (SYNTHETIC, "data.expect.min_samples=1", "data.expect", "is for stored samples"),
        (FOLDER, "train.class_weights=[1, 2, 3]", "train.class_weights", "needs 2 weights"),
        (FOLDER, "train.shards=3", "train.shards", "must divide train.batch_size"),
        (FOLDER, "train.warmup_epochs=2.5", "train.warmup_epochs", "is longer than train.epochs"),
        (FOLDER, "train.min_lr=0.1", "train.min_lr", "is above train.lr"),
        (FOLDER, "train.augment.pad=32", "train.augment.pad", "is half of data.image_size or more"),
        (NPZ, "data.root=null", "data.root", "an npz source needs data.root"),
        (NPZ, "data.classes=[a]", "data.classes", "needs at least two classes"),
        (NPZ, "data.classes=[a, b|c]", "data.classes", "'b|c' cannot be told"),
        (NPZ, "data.validation_fraction=0.1", "data.validation_fraction", "an npz file has spl"),
        (NPZ, "data.test_fraction=0.1", "data.test_fraction", "an npz file has splits of its own"),
        (TABLE, "data.csv.file=null", "data.csv.file", "a csv source needs data.csv.file"),
        (TABLE, "data.csv.label=null", "train.loss", "an image may have several of data.classes"),
        (
            TABLE,
            "data.csv.label_separator='|'",
            "train.loss",
            "an image may have several of data.classes",
        ),
        (
            TABLE,
            "data.csv.ignored_labels=[x]",
            "data.csv.ignored_labels",
            "are for a column that names several classes",
        ),
        (
            LABELS,
            "data.csv={file: t.csv, label: f, label_separator: '|', ignored_labels: [a]}",
            "data.csv.ignored_labels",
            "'a' is one of data.classes",
        ),
        (
            LABELS,
            "data.csv={file: t.csv, label: f, label_separator: '|', ignored_labels: [x|y]}",
            "data.csv.label_separator",
            "stands within a label's name",
        ),
        (TABLE, "data.csv.repeats=any", "data.csv.repeats", "joins labels, and an image has one"),
        (TABLE, "data.csv.split_names={a: train}", "data.csv.split_names", "there is no split col"),
        (TABLE, "data.classes=[a]", "data.classes", "needs at least two classes"),
        (LABELS, "train.loss=cross_entropy", "train.loss", "an image may have several of"),
        (LABELS, "data.classes=[]", "data.classes", "needs at least one label"),
        (LABELS, "data.classes=[a, '-']", "data.classes", "'-' cannot be told"),
        (LABELS, "data.classes=[a, 'b?']", "data.classes", "'b?' cannot be told"),
        (FOLDER + "  loss: bce\n", "data.classes=[a, b|c]", "data.classes", "'b|c' cannot be told"),
        (SYNTHETIC, "data.root=images", "data.root", "synthetic vectors have no root"),
        (SYNTHETIC, "data.image_size=32", "data", "synthetic vectors are 28 px with 1 channel"),
        (SYNTHETIC, "data.channels=3", "data", "synthetic vectors are 28 px with 1 channel"),
        (SYNTHETIC, "data.classes=[a, b]", "data.classes", "synthetic vectors have classes of"),
        (SYNTHETIC, "data.validation_fraction=0.1", "data.validation_fraction", "is for folders"),
        (SYNTHETIC, "data.test_fraction=0.1", "data.test_fraction", "is for folders"),
        (
            SYNTHETIC,
            "data.lock=a.lock.json",
            "data.lock",
            "synthetic vectors are drawn, not locked",
        ),
        (
            FOLDER,
            "data.test_fraction=0.1",
            "data.test_fraction",
            "the test folder is the test split",
        ),
        (SYNTHETIC, "train.class_weights=[1, 2]", "train.class_weights", "needs 10 weights"),
        (SYNTHETIC, "model.freeze=backbone", "model.freeze", "the mlp has no backbone"),
    ],
)
def test_fields_that_do_not_go_together_are_named(load, text, change, key, message):
    load(text)
    problems = refuse(load, text, [change])
    assert any(f"{key}: {message}" in problem for problem in problems), problems


def test_shares_that_leave_nothing_to_train_on_are_refused(load):
    changes = ["data.layout=classes", "data.validation_fraction=0.5"]
    load(FOLDER, [*changes, "data.test_fraction=0.4"])
    problems = refuse(load, FOLDER, [*changes, "data.test_fraction=0.5"])
    assert any("data.test_fraction: leaves no group to train on" in one for one in problems)


def test_nesterov_without_momentum_is_refused_before_torch_refuses_it(load):
    changes = ["train.optimizer=sgd", "train.nesterov=true", "train.momentum=0"]
    problems = refuse(load, FOLDER, changes)
    assert any("train.nesterov" in problem for problem in problems)


def test_a_warm_up_before_one_cycle_is_refused(load):
    load(FOLDER, ["train.schedule=cosine", "train.warmup_epochs=1"])
    problems = refuse(load, FOLDER, ["train.schedule=one_cycle", "train.warmup_epochs=1"])
    assert any("train.warmup_epochs: one_cycle has a rise" in problem for problem in problems)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("train.precision=bfloat16", "train.precision: portable has no bfloat16"),
        ("device=cuda", "device: portable is untested on cuda"),
    ],
)
def test_what_has_no_portable_form_is_refused_there_alone(load, change, problem):
    load(FOLDER, ["determinism=portable"])
    load(FOLDER, [change])
    problems = refuse(load, FOLDER, ["determinism=portable", change])
    assert [problem in said for said in problems] == [True]


@pytest.mark.parametrize("level", ["strict", "warn"])
def test_slices_are_refused_where_nothing_is_cut_into_them(load, level):
    load(FOLDER, ["determinism=portable", "portable.slices=2"])
    load(FOLDER, [f"determinism={level}", "portable.slices=1"])
    problems = refuse(load, FOLDER, [f"determinism={level}", "portable.slices=2"])
    assert [f"portable.slices: {level} has no slices" in said for said in problems] == [True]


@pytest.mark.parametrize("name", ["drop_rate", "drop_path_rate"])
def test_dropout_in_a_frozen_backbone_is_refused(load, name):
    load(FOLDER, [f"model.{name}=0.1"])
    problems = refuse(load, FOLDER, ["model.freeze=backbone", f"model.{name}=0.1"])
    assert any(f"model.{name}: nothing is dropped" in problem for problem in problems)


def test_every_group_is_reported_at_once_with_the_line_of_its_field(load, tmp_path):
    text = FOLDER.replace("classes: [a, b]", "classes: [a]") + "  shards: 3\n  min_lr: 0.5\n"
    path = tmp_path / "c.yaml"
    promised = ["determinism=portable", "device=cuda"]
    found = [problem.split(" (")[0] for problem in refuse(load, text, promised)]
    assert found == [
        ("--set device=cuda: device: portable is untested on cuda, so it promises nothing there"),
        f"{path}:6: data.classes: needs at least two classes",
        f"{path}:12: train.shards: must divide train.batch_size",
        f"{path}:13: train.min_lr: is above train.lr",
    ]


def test_a_table_names_splits_and_patients_once(load):
    problems = refuse(load, TABLE, ["data.csv.split=part", "data.test_fraction=0.1"])
    assert any("data.test_fraction: the split column says" in problem for problem in problems)
    problems = refuse(load, TABLE, ["data.csv.group=patient", "data.group_pattern=a"])
    assert any("data.group_pattern: data.csv.group names" in problem for problem in problems)


def test_one_label_by_itself_is_enough_and_odd_names_of_single_classes_stay(load):
    load(LABELS, ["data.classes=[a]"])
    load(FOLDER, ["data.classes=[a, b|c]"])


@pytest.mark.parametrize(
    "changes",
    [
        ["train.shards=8"],
        ["train.warmup_epochs=2"],
        ["train.min_lr=0.001"],
        ["train.augment.pad=31"],
        ["data.class_globs={a: 'x*', b: 'y*'}"],
        ["train.class_weights=[1, 2]"],
        ["data.expect={size: [28, 27], features: 756, counts: {val: {a: 0, b: 3}}}"],
        ["train.optimizer=sgd", "train.nesterov=true"],
    ],
)
def test_fields_at_the_edge_of_what_goes_together_are_allowed(load, changes):
    load(FOLDER, changes)
