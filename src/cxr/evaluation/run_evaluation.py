"""Evaluating a run again, later: a record of its own that names the run."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cxr.atomic import flush_directory, make_directory, storage_errors, write_bytes
from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset, load_dataset
from cxr.determinism.arithmetic import arithmetic
from cxr.determinism.controls import ControlPlan, find_untaken, require_device, set_controls
from cxr.determinism.levels import Level
from cxr.digests.canonical import canonical_json
from cxr.digests.tensors import digest_weights
from cxr.environment.capture import capture_environment
from cxr.environment.code import digest_code
from cxr.environment.facts import digest_environment
from cxr.errors import DataError, RecordError
from cxr.evaluation.metrics import compute_metrics
from cxr.evaluation.predict import predict_split
from cxr.models.build import build_network, require_known_model
from cxr.models.weights import load_tensors
from cxr.progress import SILENCE, Progress
from cxr.records.manifest import (
    EVALUATION_SCHEMA,
    Manifest,
    digest_files,
    load_sealed_run,
    write_manifest,
)
from cxr.records.predictions import Prediction, write_predictions
from cxr.records.run_config import load_recorded_config
from cxr.records.run_directory import ENVIRONMENT, EVALUATIONS, PREDICTIONS, WEIGHTS

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
    manifest = load_sealed_run(run, completed=True)
    config = load_recorded_config(run, manifest, root=root)
    if split is not None:
        config = config.model_copy(
            update={"evaluate": config.evaluate.model_copy(update={"split": split})}
        )
    plan = ControlPlan(
        level=config.determinism, threads=config.threads, fill_memory=config.fill_memory
    )
    controls = set_controls(plan)
    require_device(config.device)
    recorded = {manifest["recipe"]["data_digest"]}
    dataset = load_dataset(config.data, recorded=recorded, progress=progress)
    _require_same_data(dataset, manifest, config)
    ops: Counter[str] = Counter()
    predictions = _predict(run, manifest, config, dataset, ops, progress)
    described = {
        "run": {key: manifest[key] for key in ("manifest_digest", "outcome_digest")},
        "split": config.evaluate.split,
        "determinism": str(config.determinism),
        "code_digest": digest_code(),
        "controls": controls,
        "controls_untaken": find_untaken(plan, controls),
        "ops_without_deterministic_kernel": dict(ops),
    }
    directory, written = _write_record(
        run / EVALUATIONS, described, dataset.lock.classes, predictions, config.determinism
    )
    same = None
    if config.evaluate.split == manifest["metrics"]["split"]:
        same = written["predictions_digest"] == manifest["outcome"]["predictions_digest"]
    return Evaluation(directory=directory, manifest=written, same_as_run=same)


def _write_record(
    place: Path,
    described: dict[str, Any],
    classes: tuple[str, ...],
    predictions: list[Prediction],
    level: Level,
) -> tuple[Path, Manifest]:
    """Write an evaluation's directory, which has its name only when all of it is there.

    Raises:
        StorageError: It cannot be written.
    """
    now = datetime.now(UTC)
    directory = place / f"{described['split']}-{now:%Y%m%dT%H%M%S%fZ}"
    environment = capture_environment()
    make_directory(place)
    with storage_errors(place), tempfile.TemporaryDirectory(prefix=".", dir=place) as temporary:
        growing = Path(temporary) / directory.name
        make_directory(growing)
        digest = write_predictions(growing / PREDICTIONS, classes, predictions)
        write_bytes(growing / ENVIRONMENT, canonical_json(environment) + b"\n")
        figures = compute_metrics(classes, predictions, level=level).to_json()
        written = write_manifest(
            growing,
            {
                "schema": EVALUATION_SCHEMA,
                "status": "completed",
                **described,
                "predictions_digest": digest,
                "metrics": {"split": described["split"], **figures},
                "environment_digest": digest_environment(environment, level),
                "libraries": environment["packages"],
                "files": digest_files(growing),
                "volatile": {"finished": now.isoformat(timespec="milliseconds")},
            },
        )
        growing.rename(directory)
        flush_directory(place)
    return directory, written


def _require_same_data(dataset: Dataset, manifest: Manifest, config: RunConfig) -> None:
    """Refuse data that is not what the run was trained and tested on."""
    if dataset.lock.digest != manifest["recipe"]["data_digest"]:
        raise DataError(
            "the data set is not the one that the run used",
            where=config.data.root or config.data.source,
            hint="cxr data verify DIR --lock RUN/data.lock.json names what differs",
        )


def _predict(
    run: Path,
    manifest: Manifest,
    config: RunConfig,
    dataset: Dataset,
    ops: Counter[str],
    progress: Progress,
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
    where = f"prediction of {split.name}"
    # Ahead of the block: timm registers ops of its own when it is imported.
    require_known_model(config.model.name)
    slices = config.portable.slices
    with arithmetic(config.determinism, slices=slices, ops_without_kernel=ops, where=where):
        network = build_network(config, num_classes=len(dataset.lock.classes))
        network.load_state_dict(tensors)
        network.to(config.device)
        classes = dataset.lock.classes
        return predict_split(network, split, classes, config, progress=progress)
