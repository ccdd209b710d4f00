"""Fields that are each right but do not go together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cxr.config.explain import find_place
from cxr.config.schema import RunConfig
from cxr.config.strict_yaml import Document, Problem
from cxr.determinism.levels import Level

_Finding = tuple[str, str, str]


def find_inconsistencies(config: RunConfig, document: Document) -> list[Problem]:
    """Return a problem for each group of fields that do not go together."""
    problems = []
    for dotted, message, hint in [
        *_check_promise(config),
        *_check_data(config),
        *_check_splits(config),
        *_check_classes(config),
        *_check_training(config),
        *_check_model(config),
    ]:
        source, line = find_place(document, tuple(dotted.split(".")))
        problems.append(Problem(message, source, line, dotted, hint))
    return problems


def _check_promise(config: RunConfig) -> Iterator[_Finding]:
    if config.determinism is Level.PORTABLE:
        yield (
            "determinism",
            "this version does not compute at the level portable",
            "use strict: the same bits on this machine with this stack",
        )


def _check_data(config: RunConfig) -> Iterator[_Finding]:
    data = config.data
    if data.source == "folder" and data.root is None:
        yield "data.root", "a folder source needs data.root", "name the directory of the images"
    if data.source == "synthetic" and data.root is not None:
        yield "data.root", "synthetic vectors have no root", "leave it out"
    if data.source == "synthetic" and (data.channels != 1 or data.image_size != 28):  # noqa: PLR2004
        yield "data", "synthetic vectors are 28 px with 1 channel", "set image_size and channels"
    if data.group_pattern is not None:
        try:
            re.compile(data.group_pattern)
        except (re.error, OverflowError, RecursionError) as error:
            yield "data.group_pattern", f"not a regular expression: {error}", "correct it"


def _check_splits(config: RunConfig) -> Iterator[_Finding]:
    data = config.data
    if data.source == "synthetic":
        for name, message, hint in (
            ("validation_fraction", "is for folders", "set data.synthetic.val"),
            ("test_fraction", "is for folders", "set data.synthetic.test"),
            ("lock", "synthetic vectors are drawn, not locked", "leave it out"),
        ):
            if getattr(data, name):
                yield f"data.{name}", message, hint
    elif data.source == "npz" and (data.validation_fraction or data.test_fraction):
        name = "validation_fraction" if data.validation_fraction else "test_fraction"
        yield f"data.{name}", "an npz file has splits of its own", "leave it out"
    elif data.test_fraction and data.source == "folder" and data.layout == "splits":
        yield "data.test_fraction", "the test folder is the test split", "set data.layout: classes"
    elif data.test_fraction and data.source == "csv" and data.csv.split is not None:
        yield "data.test_fraction", "the split column says what is tested on", "leave it out"
    if data.validation_fraction + data.test_fraction >= 1:
        yield "data.test_fraction", "leaves no group to train on", "lower it"


def _check_classes(config: RunConfig) -> Iterator[_Finding]:
    data = config.data
    if data.source == "folder" and len(data.classes) < 2:  # noqa: PLR2004 - a choice needs two
        yield "data.classes", "needs at least two classes", "name the class folders"
    if data.source == "synthetic" and data.classes:
        yield "data.classes", "synthetic vectors have classes of their own", "leave it out"
    if len(set(data.classes)) != len(data.classes):
        yield "data.classes", "a class stands twice", "name each class once"
    if data.class_globs is not None and set(data.class_globs) != set(data.classes):
        yield "data.class_globs", "must have one glob for each of data.classes", "name them all"
    weights = config.train.class_weights
    num_classes = len(data.classes) or 10
    if isinstance(weights, tuple) and len(weights) != num_classes:
        yield "train.class_weights", f"needs {num_classes} weights", "one for each class"


def _check_training(config: RunConfig) -> Iterator[_Finding]:
    train = config.train
    if train.batch_size % train.shards:
        yield "train.shards", "must divide train.batch_size", "choose a divisor"
    if train.optimizer == "sgd" and train.nesterov and not train.momentum:
        yield "train.nesterov", "needs momentum", "set train.momentum above 0"
    if train.warmup_epochs > train.epochs:
        yield "train.warmup_epochs", "is longer than train.epochs", "shorten it"
    if train.min_lr > train.lr:
        yield "train.min_lr", "is above train.lr", "lower it"
    if train.augment.pad * 2 >= config.data.image_size:
        yield "train.augment.pad", "is half of data.image_size or more", "lower it"
    if train.schedule == "one_cycle" and train.warmup_epochs:
        yield "train.warmup_epochs", "one_cycle has a rise of its own", "set it to 0"


def _check_model(config: RunConfig) -> Iterator[_Finding]:
    model = config.model
    if model.freeze == "none":
        return
    if model.name == "mlp":
        yield "model.freeze", "the mlp has no backbone", "use none"
    for name in ("drop_rate", "drop_path_rate"):
        if getattr(model, name):
            yield f"model.{name}", "nothing is dropped of a frozen backbone", "set it to 0"
