"""A model of timm's, exported as far as its weights and its config, with its predictions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset, Split, load_dataset
from cxr.digests.canonical import canonical_json
from cxr.digests.tensors import digest_weights
from cxr.evaluation.predict import predict_split
from cxr.models.build import build_network
from cxr.models.weights import copy_weights, write_tensors
from cxr.records.predictions import Prediction
from cxr.release.timm_config import describe_timm_config
from support.fabricated_runs import make_run  # noqa: F401 - a fixture
from support.recipes import images, load_recipe


@dataclass(frozen=True)
class Model:
    """An exported model and what it was exported of."""

    directory: Path
    config: RunConfig
    dataset: Dataset
    split: Split
    recorded: list[Prediction]
    weights_digest: str

    def edit(self, **changes: Any) -> None:
        """Change fields of ``config.json``; those of its inner part begin with ``cfg_``."""
        path = self.directory / "config.json"
        content = json.loads(path.read_bytes())
        for name, value in changes.items():
            inner = name.startswith("cfg_")
            (content["pretrained_cfg"] if inner else content)[name.removeprefix("cfg_")] = value
        path.write_bytes(canonical_json(content))


@pytest.fixture
def make_model(tmp_path, radiographs):
    """Write a model that nobody trained, and predict the test split with it."""

    def make(**changes: Any) -> Model:
        changes = {"data__image_size": 24, "evaluate": {"batch_size": 3}, **changes}
        config = load_recipe(images(radiographs, **changes))
        dataset = load_dataset(config.data)
        split = dataset.split("test")
        network = build_network(config, num_classes=2)
        directory = tmp_path / "exported"
        directory.mkdir()
        weights = copy_weights(network)
        write_tensors(directory / "model.safetensors", weights, kind="weights")
        described = describe_timm_config(config, split.classes)
        (directory / "config.json").write_bytes(canonical_json(described))
        recorded = predict_split(network, split, split.classes, config)
        return Model(directory, config, dataset, split, recorded, digest_weights(weights))

    return make
