"""Fields that are each right but do not go together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from cxr.config.data_section import CsvConfig
from cxr.config.explain import find_place
from cxr.config.schema import RunConfig
from cxr.config.strict_yaml import Document, Problem
from cxr.determinism.levels import Level
from cxr.label_text import is_plain_name

_Finding = tuple[str, str, str]

_ALL = 100


def find_inconsistencies(config: RunConfig, document: Document) -> list[Problem]:
    """Return a problem for each group of fields that do not go together."""
    problems = []
    for dotted, message, hint in [
        *_check_promise(config),
        *_check_data(config),
        *_check_npz(config),
        *_check_table(config),
        *_check_window(config),
        *_check_pseudonyms(config),
        *_check_splits(config),
        *_check_classes(config),
        *_check_loss(config),
        *_check_expectations(config),
        *_check_training(config),
        *_check_model(config),
        *_check_subgroups(config),
    ]:
        source, line = find_place(document, tuple(dotted.split(".")))
        problems.append(Problem(message, source, line, dotted, hint))
    return problems


def _check_promise(config: RunConfig) -> Iterator[_Finding]:
    if config.determinism is not Level.PORTABLE:
        if config.portable.slices != 1:
            problem = f"{config.determinism} has no slices: the machine's own kernels multiply"
            yield "portable.slices", problem, "set determinism: portable, or leave it out"
        return
    if config.train.precision != "float32":
        problem = f"portable has no {config.train.precision}: processors round it differently"
        yield "train.precision", problem, "use float32, or determinism: strict"
    if config.device != "cpu":
        problem = f"portable is untested on {config.device}, so it promises nothing there"
        yield "device", problem, "use cpu, or determinism: strict"


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


def _check_npz(config: RunConfig) -> Iterator[_Finding]:
    data = config.data
    if data.source != "npz":
        return
    if data.root is None:
        yield "data.root", "an npz source needs data.root", "name the npz file"


def _check_table(config: RunConfig) -> Iterator[_Finding]:
    data = config.data
    if data.source != "csv":
        return
    if data.csv.file is None:
        yield "data.csv.file", "a csv source needs data.csv.file", "name the table"
    if data.csv.split is None and data.csv.split_names is not None:
        yield "data.csv.split_names", "there is no split column", "set data.csv.split"
    yield from _check_joined_labels(data.csv, data.classes)
    yield from _check_repeats(data.csv)
    if data.csv.group is not None and data.group_pattern is not None:
        yield "data.group_pattern", "data.csv.group names the patient already", "leave one out"


def _check_repeats(csv: CsvConfig) -> Iterator[_Finding]:
    if csv.repeats == "any" and not csv.tells_several:
        problem = "joins labels, and an image has one class"
        yield "data.csv.repeats", problem, "set it to same, or set data.csv.label_separator"


def _check_joined_labels(csv: CsvConfig, classes: Sequence[str]) -> Iterator[_Finding]:
    if csv.label_separator is not None and csv.label is None:
        yield "data.csv.label_separator", "there is no label column", "set data.csv.label"
    ignored = csv.ignored_labels or ()
    if ignored and csv.label_separator is None:
        problem = "are for a column that names several classes"
        yield "data.csv.ignored_labels", problem, "set data.csv.label_separator"
    for name in sorted({*ignored} & {*classes}):
        yield "data.csv.ignored_labels", f"{name!r} is one of data.classes", "leave one out"
    named = (*classes, *ignored)
    if csv.label_separator is not None and any(csv.label_separator in name for name in named):
        problem = "stands within a label's name"
        yield "data.csv.label_separator", problem, "name what stands between the labels"


def _check_window(config: RunConfig) -> Iterator[_Finding]:
    window = config.data.window
    if window.kind == "file" and config.data.source == "npz":
        yield "data.window.kind", "only DICOM files name a window", "use range or percentile"
    if window.kind not in ("range", "percentile"):
        return
    if window.low is None or window.high is None:
        yield "data.window", f"{window.kind} needs low and high", "set both"
        return
    if window.low >= window.high:
        yield "data.window.low", "must be below data.window.high", "lower it"
    elif window.kind == "percentile" and not (window.low >= 0 and window.high <= _ALL):
        yield "data.window", "percentiles are from 0 to 100", "correct low and high"


def _check_pseudonyms(config: RunConfig) -> Iterator[_Finding]:
    data = config.data
    if data.pseudonym_key is not None and data.source in ("npz", "synthetic"):
        message = f"the samples of {data.source} have numbers for names"
        yield "data.pseudonym_key", message, "leave it out"


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
    # A choice needs two; of labels that are each true or not there may be one.
    one_is_enough = data.source == "csv" and data.csv.tells_several
    if data.source != "synthetic" and len(data.classes) < (1 if one_is_enough else 2):
        named = "one label" if one_is_enough else "two classes"
        yield "data.classes", f"needs at least {named}", "name them in label order"
    if config.train.asks_each_label or data.source == "npz":
        for name in data.classes:
            if not is_plain_name(name):
                problem = f"{name!r} cannot be told in a text of several labels"
                hint = "use no | and no ?, and a name that is neither empty nor -"
                yield "data.classes", problem, hint
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


def _check_loss(config: RunConfig) -> Iterator[_Finding]:
    several = config.data.source == "csv" and config.data.csv.tells_several
    if several and not config.train.asks_each_label:
        problem = "an image may have several of data.classes, and cross_entropy takes one"
        named = "data.csv.label" if config.data.csv.label is None else "no data.csv.label_separator"
        yield "train.loss", problem, f"set train.loss: bce, or {named}"


def _check_expectations(config: RunConfig) -> Iterator[_Finding]:
    data, expect = config.data, config.data.expect
    if data.source == "synthetic" and expect != type(expect)():
        yield "data.expect", "is for stored samples; vectors are drawn", "leave it out"
        return
    counts = expect.counts or {}
    named = {name for by_class in counts.values() for name in by_class}
    if data.classes and (unknown := sorted(named - set(data.classes))):
        unknown_names = ", ".join(unknown)
        yield "data.expect.counts", f"no such class: {unknown_names}", "name those of data.classes"
    if any(number < 0 for by_class in counts.values() for number in by_class.values()):
        yield "data.expect.counts", "a count is below zero", "set it to zero or more"
    if expect.size is not None and min(expect.size) < 1:
        yield "data.expect.size", "a side is below 1 px", "set width and height in px"
    elif expect.size is not None and expect.features not in (None, math.prod(expect.size)):
        yield "data.expect.features", "is not width x height of data.expect.size", "leave it out"


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


def _check_subgroups(config: RunConfig) -> Iterator[_Finding]:
    for name, rule in config.evaluate.subgroups.items():
        if "column" in rule and config.data.source != "csv":
            problem = f"{config.data.source} has no columns"
            yield f"evaluate.subgroups.{name}", problem, "give a pattern over the path"
        if "pattern" in rule:
            try:
                re.compile(rule["pattern"])
            except (re.error, OverflowError, RecursionError) as error:
                problem = f"not a regular expression: {error}"
                yield f"evaluate.subgroups.{name}", problem, "correct it"
