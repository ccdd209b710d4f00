"""Evaluating a run again, later: a record of its own that names the run.

What can be wrong with the run's record or with the data is said first: torch takes seconds to load.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cxr.config.control_plan import derive_control_plan
from cxr.config.schema import RunConfig
from cxr.data.dataset import load_same_dataset
from cxr.data.subgroup_values import read_subgroup_values
from cxr.determinism.controls import find_untaken, require_device, set_controls, set_early_variables
from cxr.determinism.levels import Level
from cxr.digests.files import digest_file
from cxr.environment.capture import capture_environment
from cxr.environment.code import digest_code
from cxr.errors import DataError, RecordError
from cxr.evaluation.describe import describe_evaluation
from cxr.evaluation.intervals import derive_intervals
from cxr.evaluation.looks import list_looks
from cxr.evaluation.write_evaluation import write_evaluation
from cxr.interruption import name_command, obey
from cxr.progress import SILENCE, Progress
from cxr.records.data_lock import DataLock
from cxr.records.exported import require_no_export
from cxr.records.manifest import (
    Manifest,
    load_sealed_run,
)
from cxr.records.named_files import load_named_lock
from cxr.records.predictions import Prediction, load_predictions
from cxr.records.run_config import load_recorded_config
from cxr.records.run_directory import (
    EVALUATIONS,
    VALIDATION_PREDICTIONS,
)
from cxr.statistics.intervals import REPLICATES

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a later look at a run found.

    Attributes:
        directory: The evaluation's own directory.
        manifest: Its manifest.
        same_as_run: Whether predictions are the run's own, bit for bit; None for another split.
        is_promised: Whether they must be: under ``strict`` another batch size may give other bits.
        num_looks: Looks at this split that the run's records tell of, this one included.
    """

    directory: Path
    manifest: Manifest
    same_as_run: bool | None
    is_promised: bool
    num_looks: int


def evaluate_run(
    run: Path,
    *,
    split: Split | None = None,
    batch_size: int | None = None,
    replicates: int = REPLICATES,
    root: Path | None = None,
    progress: Progress = SILENCE,
) -> Evaluation:
    """Predict a split with a completed run's weights, under the run's own settings.

    Args:
        run: A completed run.
        split: The split; by default the one that the run evaluated.
        batch_size: Images a forward pass; by default as many as the run's.
        replicates: Resamples that intervals are taken from; 0: no intervals.
        root: The data set's root here; by default the one that the run used.
        progress: Told how far it is.

    Raises:
        RecordError: The run is not complete, its weights are not those of its outcome, or it is an
            export.
        DataError: The data is not the run's, or its images are of other patients.
    """
    require_no_export(run)
    manifest = load_sealed_run(run, completed=True)
    recorded_config = load_recorded_config(run, manifest, root=root)
    lock = load_named_lock(run, manifest)
    validation, missing = _load_validation(run, manifest, lock)
    config = _change(recorded_config, split=split, batch_size=batch_size)
    plan = derive_control_plan(config)
    set_early_variables(plan)
    dataset = load_same_dataset(config.data, lock, progress=progress)
    images = dataset.split(config.evaluate.split)
    if not len(images):
        raise DataError(
            f"the data set has no images in the split {config.evaluate.split}",
            where=config.data.root or config.data.source,
            hint="choose another --split",
        )
    subgroups = read_subgroup_values(config, lock)
    controls = set_controls(plan)
    require_device(config.device)
    from cxr.evaluation.predict_again import predict_again

    obey(name_command())
    ops: Counter[str] = Counter()
    predictions = predict_again(run, manifest, config, images, lock.classes, ops, progress)
    # Before SciPy brings a BLAS of its own, for intervals alone: it computed no prediction.
    environment = capture_environment()
    level = config.determinism
    batch = _describe_batch(recorded_config.evaluate.batch_size, config)
    described = {
        "run": {key: manifest[key] for key in ("manifest_digest", "outcome_digest")},
        "split": config.evaluate.split,
        "determinism": str(level),
        "batch_size": batch,
        "code_digest": digest_code(),
        "controls": controls,
        "controls_untaken": find_untaken(plan, controls),
        "ops_without_deterministic_kernel": dict(ops),
        "metrics": {
            "split": config.evaluate.split,
            **describe_evaluation(
                lock, predictions, validation, subgroups, level=level, missing=missing
            ),
        },
        "intervals": _derive_intervals(lock, predictions, config, replicates),
    }
    directory, written = write_evaluation(
        run / EVALUATIONS, described, lock.classes, predictions, environment, level
    )
    same = None
    if config.evaluate.split == manifest["metrics"]["split"]:
        same = written["predictions_digest"] == manifest["outcome"]["predictions_digest"]
    return Evaluation(
        directory=directory,
        manifest=written,
        same_as_run=same,
        is_promised=batch["affects_bits"] == "no",
        num_looks=len(list_looks(run, config.evaluate.split)),
    )


def _change(config: RunConfig, *, split: Split | None, batch_size: int | None) -> RunConfig:
    """Return the run's config with another split or batch to evaluate."""
    asked = {"split": split, "batch_size": batch_size}
    changed = {name: value for name, value in asked.items() if value is not None}
    return config.model_copy(update={"evaluate": config.evaluate.model_copy(update=changed)})


def _describe_batch(of_run: int, config: RunConfig) -> dict[str, Any]:
    """Return the batch size beside the run's, and whether another one may give other bits."""
    used = config.evaluate.batch_size
    promised = used == of_run or config.determinism is Level.PORTABLE
    return {"used": used, "of_run": of_run, "affects_bits": "no" if promised else "unknown"}


def _load_validation(
    run: Path, manifest: Manifest, lock: DataLock
) -> tuple[list[Prediction] | None, str]:
    """Return the predictions that thresholds are chosen by, or None and why there are none.

    Raises:
        RecordError: They are not those that the manifest names.
    """
    wanted = manifest["files"].get(VALIDATION_PREDICTIONS)
    if wanted is None:
        has_split = any(one.split == "val" for one in lock.samples)
        kept = "the run is from before validation predictions were kept"
        return None, kept if has_split else "there is no validation split"
    path = run / VALIDATION_PREDICTIONS
    found = load_predictions(path)[1]
    if digest_file(path) != wanted:
        raise RecordError(
            "the validation predictions are not those that the manifest names",
            where=str(path),
            hint="they were edited; restore them; cxr verify says more",
        )
    return found, ""


def _derive_intervals(
    lock: DataLock, predictions: list[Prediction], config: RunConfig, replicates: int
) -> dict[str, Any] | None:
    """Return intervals of the figures, over patients; None where none were asked for."""
    if not replicates:
        return None
    return derive_intervals(
        lock.classes,
        predictions,
        {sample.path: sample.group for sample in lock.samples},
        seed=config.seed,
        replicates=replicates,
        determinism=config.determinism,
    )
