"""Which fields act only beside certain values of others; elsewhere they do not affect bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cxr.config.schema import RunConfig


@dataclass(frozen=True, slots=True)
class Condition:
    """When some fields act.

    Attributes:
        fields: Dotted names; one that ends in a dot stands for a whole section.
        when: The condition in words, for the reference of the config.
        holds: Whether a config meets it.
    """

    fields: tuple[str, ...]
    when: str
    holds: Callable[[RunConfig], bool]


CONDITIONS: Final = (
    Condition(
        ("data.class_globs", "data.layout"),
        "`data.source: folder`",
        lambda config: config.data.source == "folder",
    ),
    Condition(
        ("data.csv.",),
        "`data.source: csv`",
        lambda config: config.data.source == "csv",
    ),
    Condition(
        ("data.csv.uncertain", "data.csv.blank"),
        "`data.csv.label: null`",
        lambda config: config.data.csv.label is None,
    ),
    Condition(
        ("data.resample", "data.window."),
        "any `data.source` but `synthetic`",
        lambda config: config.data.source != "synthetic",
    ),
    Condition(
        ("data.window.low", "data.window.high"),
        "`data.window.kind: range` or `percentile`",
        lambda config: config.data.window.kind in ("range", "percentile"),
    ),
    Condition(
        ("data.group_pattern", "data.split_seed"),
        "`data.validation_fraction` or `data.test_fraction` above 0",
        lambda config: config.data.validation_fraction > 0 or config.data.test_fraction > 0,
    ),
    Condition(
        ("data.synthetic.",),
        "`data.source: synthetic`",
        lambda config: config.data.source == "synthetic",
    ),
    Condition(("model.hidden",), "`model.name: mlp`", lambda config: config.model.name == "mlp"),
    Condition(
        ("model.drop_path_rate",),
        "any `model.name` but `mlp`",
        lambda config: config.model.name != "mlp",
    ),
    Condition(
        ("streams.augment",),
        "any of `train.augment` that changes an image",
        lambda config: config.train.augment != type(config.train.augment)(),
    ),
    Condition(
        ("train.momentum", "train.nesterov"),
        "`train.optimizer: sgd`",
        lambda config: config.train.optimizer == "sgd",
    ),
    Condition(
        ("train.betas", "train.eps"),
        "`train.optimizer: adamw`",
        lambda config: config.train.optimizer == "adamw",
    ),
    Condition(
        ("train.min_lr",),
        "`train.schedule: cosine` or `one_cycle`",
        lambda config: config.train.schedule != "constant",
    ),
    Condition(
        ("train.monitor",),
        "`train.keep_weights: best`, or with `train.patience`",
        lambda config: config.train.keep_weights == "best" or config.train.patience is not None,
    ),
)
"""Every field that acts only sometimes. A base config may set one that does not act beside what
the config that extends it chooses, so that is no error."""


def acts(name: str, config: RunConfig) -> bool:
    """Say whether a field acts beside the config's other values."""
    return all(
        condition.holds(config)
        for condition in CONDITIONS
        if any(
            name == field or (field.endswith(".") and name.startswith(field))
            for field in condition.fields
        )
    )
