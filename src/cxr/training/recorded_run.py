"""A run and its record: build what trains, open the record, train, predict, seal."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cxr.atomic import write_bytes
from cxr.config.schema import RunConfig
from cxr.determinism.arithmetic import arithmetic
from cxr.digests.tensors import digest_weights
from cxr.environment.capture import capture_environment
from cxr.environment.locked_packages import read_lock_to_keep
from cxr.environment.patch import capture_patch
from cxr.errors import Interrupted, StorageError
from cxr.evaluation.describe import describe_evaluation
from cxr.evaluation.predict import predict_split
from cxr.interruption import ending, obey
from cxr.models.weights import write_tensors
from cxr.progress import Progress
from cxr.records.free_place import create_directory, create_named
from cxr.records.ledger import LedgerWriter
from cxr.records.manifest import Manifest
from cxr.records.predictions import Prediction, write_predictions
from cxr.records.recipe import digest_recipe
from cxr.records.run_directory import (
    METRICS,
    PREDICTIONS,
    VALIDATION_PREDICTIONS,
    WEIGHTS,
    hold_lock,
    name_run,
    remove_half_written,
)
from cxr.records.run_record import RunRecord
from cxr.training.checkpoint import Checkpoint, remove_checkpoints
from cxr.training.inputs import Inputs
from cxr.training.loop import Trained, run_training
from cxr.training.prepare import Prepared, build_learner, prepare_run
from cxr.training.resume import (
    find_ledger_head,
    find_passed_over,
    find_place,
    read_earlier_metrics,
    require_same_inputs,
    resumable,
)
from cxr.training.step import Learner
from cxr.training.trace import trace_predictions


def run_inputs(
    config: RunConfig, inputs: Inputs, *, out: Path | None, progress: Progress
) -> tuple[Path, Manifest]:
    """Train a recipe on its data, and seal the record, however the run ends.

    Args:
        config: The recipe.
        inputs: Its data.
        out: The run directory; None for one below ``runs/``.
        progress: Told how far it is.

    Returns:
        The run directory and its manifest.
    """
    prepared = prepare_run(config, inputs)
    obey("before the first step")
    return run_prepared(prepared, out=out, progress=progress)


def run_prepared(
    prepared: Prepared, *, out: Path | None, progress: Progress
) -> tuple[Path, Manifest]:
    """Train what was prepared and seal its record, however the run ends."""
    config, recipe = prepared.config, prepared.recipe
    if out is None:
        out = create_named(name_run(config.name, digest_recipe(recipe), datetime.now(UTC)))
    else:
        create_directory(out)
    record = RunRecord(directory=out)
    with hold_lock(out, option="--out"):
        with contextlib.ExitStack() as unless_begun:
            unless_begun.callback(record.discard)
            learner = build_learner(prepared)
            environment = capture_environment()
            record.begin(
                config=config,
                lock=prepared.dataset.lock,
                recipe=recipe,
                weights_origin=prepared.weights_origin,
                preprocessing=prepared.preprocessing,
                environment=environment,
                patch=capture_patch(environment["code"]),
                package_lock=read_lock_to_keep(),
                controls=prepared.controls,
                controls_untaken=prepared.controls_untaken,
            )
            unless_begun.pop_all()
        with resumable(out), _open_ledger(out, config) as ledger:
            return out, _train_and_seal(prepared, learner, record, ledger, progress)


def go_on(
    directory: Path, manifest: Manifest, config: RunConfig, inputs: Inputs, progress: Progress
) -> Manifest:
    """Train on from the newest sound checkpoint of a run whose lock is held.

    Args:
        directory: The run directory.
        manifest: Its manifest.
        config: Its recipe.
        inputs: Its data.
        progress: Told how far it is.
    """
    prepared = prepare_run(config, inputs)
    require_same_inputs(directory, manifest, prepared)
    obey("before the run went on")
    remove_half_written(directory)
    learner = build_learner(prepared)
    place = find_place(directory, manifest, learner, progress)
    head = find_ledger_head(directory, place)
    metrics = read_earlier_metrics(directory, place.next_epoch if place else 0)
    with resumable(directory), _open_ledger(directory, config, head) as ledger:
        record = RunRecord(directory=directory)
        remove_checkpoints(find_passed_over(directory, place))
        record.go_on(manifest, next_step=place.next_step if place else 0)
        # Only now: a manifest that still names files names the figures as they are.
        write_bytes(directory / METRICS, metrics)
        return _train_and_seal(prepared, learner, record, ledger, progress, place)


def _open_ledger(directory: Path, config: RunConfig, resume_at: str | None = None) -> LedgerWriter:
    every = config.train.tensor_digests_every
    return LedgerWriter(directory, resume_at=resume_at, tensors_every=every)


def _train_and_seal(
    prepared: Prepared,
    learner: Learner,
    record: RunRecord,
    ledger: LedgerWriter,
    progress: Progress,
    resumed: Checkpoint | None = None,
) -> Manifest:
    """Train, predict the final split with the chosen weights, and seal the record."""
    tally, completed = prepared.tally, False
    try:
        trained = run_training(
            learner,
            prepared.dataset,
            record,
            ledger,
            tally=tally,
            progress=progress,
            resumed=resumed,
        )
        write_tensors(record.directory / WEIGHTS, trained.weights, kind="weights")
        learner.network.load_state_dict(trained.weights)
        outcome, metrics = _predict(prepared, record, ledger, trained, progress)
        ledger.flush()
        manifest = record.complete(
            outcome=outcome,
            trace=ledger.describe_trace(),
            metrics=metrics,
            selection={**trained.selection.to_json(), "weights_epoch": trained.epoch},
            tally=tally.to_json(),
        )
        completed = True
    finally:
        if not completed:
            # However it ends, and be it by a fault of cxr's own, the manifest says so.
            error = sys.exception()
            stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
            with ending():
                with contextlib.suppress(StorageError):
                    ledger.flush()
                record.stop(
                    "interrupted" if stopped else "failed",
                    error,
                    trace=ledger.describe_trace(),
                    tally=tally.to_json(),
                )
    return manifest


def _predict(
    prepared: Prepared,
    record: RunRecord,
    ledger: LedgerWriter,
    trained: Trained,
    progress: Progress,
) -> tuple[dict[str, str], dict[str, Any]]:
    """Predict ``evaluate.split``; return the outcome's digests and the figures."""
    config, lock = prepared.config, prepared.dataset.lock
    name = config.evaluate.split
    predictions = _predict_split(prepared, name, progress)
    digest = write_predictions(record.directory / PREDICTIONS, lock.classes, predictions)
    last = {"predictions": trace_predictions(predictions)}
    ledger.append(ledger.num_steps, trained.epoch, last)
    validation = None
    if lock.of_split("val"):
        # Of no part of the outcome: thresholds are chosen by them, now or later.
        same = name == "val"
        validation = predictions if same else _predict_split(prepared, "val", progress)
        write_predictions(record.directory / VALIDATION_PREDICTIONS, lock.classes, validation)
    outcome = {
        "weights_digest": digest_weights(trained.weights),
        "predictions_digest": digest,
    }
    figures = describe_evaluation(
        lock, predictions, validation, prepared.subgroups, level=config.determinism
    )
    return outcome, {"split": name, **figures}


def _predict_split(prepared: Prepared, name: str, progress: Progress) -> list[Prediction]:
    """Predict a split with the weights that the network has."""
    config, dataset = prepared.config, prepared.dataset
    with arithmetic(
        config.determinism,
        slices=config.portable.slices,
        ops_without_kernel=prepared.tally.ops_without_kernel,
        where=f"prediction of {name}",
    ):
        return predict_split(
            prepared.network, dataset.split(name), dataset.lock.classes, config, progress=progress
        )
