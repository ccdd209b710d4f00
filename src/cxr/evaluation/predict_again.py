"""Predicting images with the weights that a completed run chose."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cxr.config.schema import RunConfig
from cxr.data.dataset import Split
from cxr.determinism.arithmetic import arithmetic
from cxr.evaluation.predict import predict_split
from cxr.evaluation.trained_network import build_trained_network, load_outcome_weights
from cxr.models.build import require_known_model
from cxr.progress import Progress
from cxr.records.manifest import Manifest
from cxr.records.predictions import Prediction


def predict_again(
    run: Path,
    manifest: Manifest,
    config: RunConfig,
    images: Split,
    classes: tuple[str, ...],
    ops: Counter[str],
    progress: Progress,
) -> list[Prediction]:
    """Load the chosen weights, check them, and predict.

    Args:
        run: A completed run.
        manifest: Its manifest.
        config: Its recipe, or one with another split or batch size.
        images: What is predicted.
        classes: Class names in label order.
        ops: Gets the ops that have no deterministic kernel.
        progress: Told how far it is.

    Raises:
        RecordError: The weights are not those of the run's outcome.
    """
    tensors = load_outcome_weights(run, manifest)
    where = f"prediction of {images.name}"
    # Ahead of the block: timm registers ops of its own when it is imported.
    require_known_model(config.model.name)
    slices = config.portable.slices
    with arithmetic(config.determinism, slices=slices, ops_without_kernel=ops, where=where):
        network = build_trained_network(config, tensors, num_classes=len(classes))
        return predict_split(network, images, classes, config, progress=progress)
