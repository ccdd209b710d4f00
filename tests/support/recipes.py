"""Recipes small enough to train in seconds, and the data that they need."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cxr.config.schema import RunConfig

Recipe = dict[str, Any]

GROUPS = r"^(person\d+_(?:bacteria|virus)|IM-\d+)"
"""Patients in the names of drawn radiographs."""

_VECTORS: Recipe = {
    "name": "vectors",
    "seed": 1,
    "threads": 1,
    "workers": 1,
    "data": {
        "source": "synthetic",
        "image_size": 28,
        "synthetic": {"train": 60, "val": 20, "test": 20},
    },
    "model": {"name": "mlp", "hidden": [16], "drop_rate": 0.2},
    "train": {"epochs": 2, "batch_size": 20},
}
"""Six steps, three an epoch."""

_IMAGES: Recipe = {
    "name": "images",
    "seed": 1,
    "threads": 1,
    "workers": 1,
    "data": {"source": "folder", "classes": ["NORMAL", "PNEUMONIA"], "image_size": 32},
    "model": {"name": "test_resnet", "drop_rate": 0.2},
    "train": {
        "epochs": 2,
        "batch_size": 4,
        "augment": {"flip": True, "pad": 2, "zoom": 0.1, "brightness": 0.1, "contrast": 0.1},
    },
}
"""Six steps, three an epoch, on twelve training images."""

STEPS = 6
STEPS_PER_EPOCH = 3


def vectors(**changes: Any) -> Recipe:
    """Return the recipe for vectors with dotted fields changed, dots written as ``__``."""
    return change(_VECTORS, changes)


def early() -> Recipe:
    """Return a recipe that stops early and keeps the weights of an earlier epoch."""
    train = {
        "epochs": 12,
        "batch_size": 20,
        "optimizer": "sgd",
        "lr": 0.05,
        "nesterov": True,
        "schedule": "cosine",
        "min_lr": 1e-4,
        "warmup_epochs": 0.5,
        "class_weights": "balanced",
        "label_smoothing": 0.1,
        "monitor": "accuracy",
        "patience": 2,
        "keep_checkpoints": 100,
    }
    synthetic = {"train": 65, "val": 20, "test": 20, "noise": 64}
    return vectors(data__synthetic=synthetic, train=train)


def images(root: Path, **changes: Any) -> Recipe:
    """Return the recipe for radiographs below ``root``, changed likewise."""
    return change(_IMAGES, {"data__root": str(root), **changes})


def labels(table: Path, **changes: Any) -> Recipe:
    """Return the recipe for a table of images with several labels, changed likewise."""
    data = {
        "source": "csv",
        "csv": {"file": str(table), "group": "patient", "split": "split", "label": None},
        "classes": ["Edema", "Effusion"],
        "image_size": 32,
    }
    train = {"epochs": 2, "batch_size": 10, "shards": 2, "loss": "bce", "lr": 0.01}
    return change({**_IMAGES, "name": "labels", "data": data, "train": train}, changes)


def change(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a copy of a recipe with some fields changed."""
    changed = copy.deepcopy(recipe)
    for name, value in changes.items():
        *sections, last = name.split("__")
        holder = changed
        for section in sections:
            holder = holder.setdefault(section, {})
        holder[last] = value
    return changed


def load_recipe(recipe: Recipe) -> RunConfig:
    """Return a recipe as the config that a file with it would be, its paths as they are."""
    return RunConfig.model_validate_json(json.dumps(recipe))


def write_recipe(path: Path, recipe: Recipe) -> Path:
    """Write a recipe as a config file; JSON is YAML."""
    path.write_text(json.dumps(recipe, indent=1), encoding="utf-8")
    return path
