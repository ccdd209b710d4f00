"""Evaluating a run again, later: a record of its own that names the run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cxr.config.fields import digest_config
from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset, load_dataset
from cxr.determinism.arithmetic import arithmetic
from cxr.determinism.controls import ControlPlan, require_device, set_controls
from cxr.digests.tensors import digest_weights
from cxr.errors import DataError, RecordError
from cxr.evaluation.metrics import compute_metrics
from cxr.evaluation.predict import predict_split
from cxr.models.build import build_network
from cxr.models.weights import load_tensors
from cxr.progress import SILENCE, Progress
from cxr.records.environment import capture_environment
from cxr.records.facts import digest_environment
from cxr.records.manifest import (
    EVALUATION_SCHEMA,
    RUN_SCHEMA,
    Manifest,
    digest_files,
    load_manifest,
    write_manifest,
)
from cxr.records.predictions import Prediction, write_predictions
from cxr.records.run_config import load_run_config
from cxr.records.run_directory import CONFIG, EVALUATIONS, PREDICTIONS, WEIGHTS, create_directory

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a later look at a run found.

    Attributes:
        directory: The evaluation's own directory.
        manifest: Its manifest.
        same_as_run: Whether predictions are the run's own, bit for bit; None for another split.
    """

    directory: Path
    manifest: Manifest
    same_as_run: bool | None


def evaluate_run(
    run: Path, *, split: Split | None = None, root: Path | None = None, progress: Progress = SILENCE
) -> Evaluation:
    """Predict a split with a completed run's weights, under the run's own settings.

    Args:
        run: A completed run.
        split: The split; by default the one that the run evaluated.
        root: The data set's root here; by default the one that the run used.
        progress: Told how far it is.

    Raises:
        RecordError: The run is not complete, or its weights are not those of its outcome.
        DataError: The data is not the run's.
    """
    manifest = _load_completed(run)
    config = load_run_config(run, root=root)
    if digest_config(config) != manifest["recipe"]["config_digest"]:
        raise RecordError(
            "the config is not the one that the run was trained with",
            where=str(run / CONFIG),
            hint="it was edited; restore it",
        )
    if split is not None:
        config = config.model_copy(
            update={"evaluate": config.evaluate.model_copy(update={"split": split})}
        )
    plan = ControlPlan(
        level=config.determinism, threads=config.threads, fill_memory=config.fill_memory
    )
    controls = set_controls(plan)
    require_device(config.device)
    dataset = load_dataset(config.data, progress=progress)
    _require_same_data(dataset, manifest, config)
    predictions = _predict(run, manifest, config, dataset, progress)
    environment = capture_environment()
    directory = run / EVALUATIONS / f"{config.evaluate.split}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    create_directory(directory, what="evaluation")
    classes = dataset.lock.classes
    digest = write_predictions(directory / PREDICTIONS, classes, predictions)
    metrics = {
        "split": config.evaluate.split,
        **compute_metrics(classes, predictions).to_json(),
    }
    written = write_manifest(
        directory,
        {
            "schema": EVALUATION_SCHEMA,
            "status": "completed",
            "run": {key: manifest[key] for key in ("manifest_digest", "outcome_digest")},
            "split": config.evaluate.split,
            "predictions_digest": digest,
            "metrics": metrics,
            "environment_digest": digest_environment(environment, config.determinism),
            "controls": controls,
            "libraries": environment["packages"],
            "files": digest_files(directory),
            "volatile": {"finished": datetime.now(UTC).isoformat(timespec="milliseconds")},
        },
    )
    same = None
    if config.evaluate.split == manifest["metrics"]["split"]:
        same = digest == manifest["outcome"]["predictions_digest"]
    return Evaluation(directory=directory, manifest=written, same_as_run=same)


def _load_completed(run: Path) -> Manifest:
    """Load the manifest of a completed run."""
    manifest = load_manifest(run)
    if manifest["schema"] != RUN_SCHEMA or manifest.get("status") != "completed":
        raise RecordError(
            f"the run cannot be evaluated: its status is {manifest.get('status')}",
            where=str(run),
            hint="name a run that completed",
        )
    return manifest


def _require_same_data(dataset: Dataset, manifest: Manifest, config: RunConfig) -> None:
    """Refuse data that is not what the run was trained and tested on."""
    if dataset.lock.digest != manifest["recipe"]["data_digest"]:
        raise DataError(
            "the data set is not the one that the run used",
            where=config.data.root or config.data.source,
            hint="cxr data verify DIR --lock RUN/data.lock.json names what differs",
        )


def _predict(
    run: Path, manifest: Manifest, config: RunConfig, dataset: Dataset, progress: Progress
) -> list[Prediction]:
    """Load the chosen weights, check them, and predict."""
    tensors = load_tensors(run / WEIGHTS)
    if digest_weights(tensors) != manifest["outcome"]["weights_digest"]:
        raise RecordError(
            "the weights are not those of the run's outcome",
            where=str(run / WEIGHTS),
            hint="cxr verify says what was changed; restore it",
        )
    split = dataset.split(config.evaluate.split)
    if not len(split):
        raise DataError(
            f"the data set has no images in the split {config.evaluate.split}",
            where=config.data.root or config.data.source,
            hint="choose another --split",
        )
    level, ops = config.determinism, Counter[str]()
    with arithmetic(level, ops_without_kernel=ops, where=f"prediction of {split.name}"):
        network = build_network(config, num_classes=len(dataset.lock.classes))
        network.load_state_dict(tensors)
        network.to(config.device)
        classes = dataset.lock.classes
        return predict_split(network, split, classes, config, progress=progress)
