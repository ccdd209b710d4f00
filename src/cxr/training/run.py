"""A whole run: check every input, open the record, train, predict, seal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import nn

from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset, load_dataset
from cxr.determinism.arithmetic import arithmetic
from cxr.determinism.controls import ControlPlan, Controls, set_controls
from cxr.digests.tensors import digest_weights
from cxr.errors import CxrError, Interrupted
from cxr.evaluation.metrics import compute_metrics
from cxr.evaluation.predict import predict_split
from cxr.models.build import BuiltModel, build_model
from cxr.models.weights import write_tensors
from cxr.progress import Progress
from cxr.records.environment import capture_environment
from cxr.records.ledger import LedgerWriter
from cxr.records.manifest import Manifest
from cxr.records.predictions import write_predictions
from cxr.records.recipe import derive_recipe, digest_recipe
from cxr.records.run_directory import (
    PREDICTIONS,
    WEIGHTS,
    create_directory,
    hold_lock,
    name_run,
)
from cxr.records.run_record import RunRecord
from cxr.training.interrupt import interruptible
from cxr.training.loop import Trained, run_training
from cxr.training.optimizer import build_optimizer
from cxr.training.requirements import require_device, require_enough_samples
from cxr.training.step import Learner, derive_class_weights
from cxr.training.trace import trace_predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that a run starts from, checked."""

    config: RunConfig
    controls: Controls
    dataset: Dataset
    model: BuiltModel
    ops_without_kernel: Counter[str]


def train(config: RunConfig, *, out: Path | None, progress: Progress) -> tuple[Path, Manifest]:
    """Train a recipe and leave a run directory.

    Args:
        config: The recipe.
        out: The run directory; by default one below ``runs/`` named after the recipe.
        progress: Told how far it is.

    Returns:
        The run directory and its manifest.

    Raises:
        CxrError: Before the first step nothing is left behind; after it the manifest says how the
            run ended.
    """
    with interruptible(progress) as watched:
        if out is not None:
            create_directory(out)
        try:
            prepared = prepare_run(config, watched)
        except BaseException:
            if out is not None:
                out.rmdir()
            raise
        return run_prepared(prepared, out=out, progress=watched)


def prepare_run(config: RunConfig, progress: Progress) -> Prepared:
    """Set the switches, then find, check and build everything that the run needs.

    Raises:
        CxrError: Something is missing or wrong; nothing was written but the decode cache.
    """
    plan = ControlPlan(
        level=config.determinism, threads=config.threads, fill_memory=config.fill_memory
    )
    controls = set_controls(plan)
    require_device(config)
    dataset = load_dataset(config.data, progress=progress)
    require_enough_samples(config, dataset)
    ops: Counter[str] = Counter()
    with arithmetic(config.determinism, ops_without_kernel=ops, where="initialisation"):
        model = build_model(config, num_classes=len(dataset.lock.classes))
    return Prepared(
        config=config, controls=controls, dataset=dataset, model=model, ops_without_kernel=ops
    )


def run_prepared(
    prepared: Prepared, *, out: Path | None, progress: Progress
) -> tuple[Path, Manifest]:
    """Train what was prepared and seal its record, however the run ends."""
    config, weights = prepared.config, prepared.model.weights
    recipe = derive_recipe(
        config, prepared.dataset.lock, weights.content_digest if weights else None
    )
    if out is None:
        out = Path("runs") / name_run(config.name, digest_recipe(recipe), datetime.now(UTC))
        create_directory(out)
    record = RunRecord(directory=out)
    with hold_lock(out):
        record.begin(
            config=config,
            lock=prepared.dataset.lock,
            recipe=recipe,
            weights_origin=weights.origin if weights else None,
            environment=capture_environment(),
            controls=prepared.controls,
        )
        with LedgerWriter(out) as ledger:
            try:
                manifest = _train_and_seal(prepared, record, ledger, progress)
            except (CxrError, KeyboardInterrupt) as error:
                stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
                known = error if isinstance(error, CxrError) else None
                record.stop("interrupted" if stopped else "failed", known, _trace(ledger))
                raise
    return out, manifest


def _train_and_seal(
    prepared: Prepared, record: RunRecord, ledger: LedgerWriter, progress: Progress
) -> Manifest:
    """Train, predict the final split with the chosen weights, and seal the record."""
    config, dataset, network = prepared.config, prepared.dataset, prepared.model.network
    learner = _build_learner(prepared, network.to(config.device))
    trained = run_training(
        learner,
        dataset,
        record,
        ledger,
        ops_without_kernel=prepared.ops_without_kernel,
        progress=progress,
    )
    write_tensors(record.directory / WEIGHTS, trained.weights, kind="weights")
    network.load_state_dict(trained.weights)
    outcome, metrics = _predict(prepared, record, ledger, trained, progress)
    return record.complete(
        outcome=outcome,
        trace=_trace(ledger),
        metrics=metrics,
        selection=trained.selection.to_json(),
        ops_without_kernel=dict(prepared.ops_without_kernel),
    )


def _build_learner(prepared: Prepared, network: nn.Module) -> Learner:
    config = prepared.config
    weights = derive_class_weights(config, prepared.dataset.lock.count_labels("train"))
    return Learner(
        config=config,
        network=network,
        optimizer=build_optimizer(network, config.train),
        class_weights=weights.to(config.device) if weights is not None else None,
        steps_per_epoch=len(prepared.dataset.split("train")) // config.train.batch_size,
    )


def _predict(
    prepared: Prepared,
    record: RunRecord,
    ledger: LedgerWriter,
    trained: Trained,
    progress: Progress,
) -> tuple[dict[str, str], dict[str, Any]]:
    """Predict ``evaluate.split``; return the outcome's digests and the figures."""
    config, dataset = prepared.config, prepared.dataset
    classes, name = dataset.lock.classes, config.evaluate.split
    with arithmetic(
        config.determinism,
        ops_without_kernel=prepared.ops_without_kernel,
        where=f"prediction of {name}",
    ):
        predictions = predict_split(
            prepared.model.network, dataset.split(name), classes, config, progress=progress
        )
    digest = write_predictions(record.directory / PREDICTIONS, classes, predictions)
    last = {"predictions": trace_predictions(predictions)}
    ledger.append(ledger.num_steps, trained.selection.epoch, last)
    figures = compute_metrics(classes, predictions)
    outcome = {
        "weights_digest": digest_weights(trained.weights),
        "predictions_digest": digest,
    }
    return outcome, {"split": name, **figures.to_json()}


def _trace(ledger: LedgerWriter) -> dict[str, Any]:
    return {"ledger_head": ledger.head, "steps": ledger.num_steps}
