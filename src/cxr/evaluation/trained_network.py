"""The network of a completed run, with the weights of its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from cxr.config.schema import RunConfig
from cxr.digests.tensors import digest_weights
from cxr.errors import RecordError
from cxr.models.build import build_network
from cxr.models.weights import load_tensors
from cxr.records.manifest import Manifest
from cxr.records.run_directory import WEIGHTS


def load_outcome_weights(run: Path, manifest: Manifest) -> dict[str, torch.Tensor]:
    """Read the weights that a run chose, and check them by their digest.

    Args:
        run: A completed run.
        manifest: Its manifest.

    Raises:
        RecordError: They are not those of the run's outcome.
        WeightsError: The file is missing or damaged.
    """
    tensors = load_tensors(run / WEIGHTS)
    if digest_weights(tensors) != manifest["outcome"]["weights_digest"]:
        raise RecordError(
            "the weights are not those of the run's outcome",
            where=str(run / WEIGHTS),
            hint="cxr verify says what was changed; restore it",
        )
    return tensors


def build_trained_network(
    config: RunConfig, tensors: Mapping[str, torch.Tensor], *, num_classes: int
) -> nn.Module:
    """Build a run's network with given weights, on the config's device.

    Call it inside `arithmetic`, and `require_known_model` ahead of that: timm registers ops of its
    own when it is imported.

    Raises:
        ConfigError: The model does not take these settings.
        DeterminismError: Its weights cannot be drawn at the level ``portable``.
    """
    network = build_network(config, num_classes=num_classes)
    network.load_state_dict(tensors)
    return network.to(config.device)
