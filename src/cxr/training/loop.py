"""The training loop: batches → step → digests → ledger → figures → checkpoint, on one page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cxr.data.dataset import Dataset
from cxr.determinism.arithmetic import arithmetic
from cxr.determinism.levels import Level
from cxr.evaluation.figures import Metrics
from cxr.evaluation.metrics import compute_metrics
from cxr.evaluation.predict import predict_split
from cxr.models.build import set_training_mode
from cxr.models.weights import copy_weights
from cxr.progress import Progress
from cxr.records.ledger import INITIAL_STEP, LedgerWriter
from cxr.records.run_record import RunRecord
from cxr.training.batches import iterate_batches
from cxr.training.checkpoint import Checkpoint, write_checkpoint
from cxr.training.doubled import run_checked_step
from cxr.training.selection import Selection
from cxr.training.step import Learner
from cxr.training.tally import Tally
from cxr.training.trace import trace_buffers, trace_generators, trace_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training ends with.

    Attributes:
        weights: The chosen weights, on the CPU.
        epoch: The zero-based epoch that they are from.
        selection: The best epoch.
    """

    weights: dict[str, torch.Tensor]
    epoch: int
    selection: Selection


def run_training(
    learner: Learner,
    dataset: Dataset,
    record: RunRecord,
    ledger: LedgerWriter,
    *,
    tally: Tally,
    progress: Progress,
    resumed: Checkpoint | None = None,
) -> Trained:
    """Train epoch by epoch, leaving a ledger line a step and a checkpoint an epoch.

    With ``resumed``, whose state ``learner`` already has, the epochs before it are not run again.
    """
    config, network = learner.config, learner.network
    level, train = config.determinism, dataset.split("train")
    ops, slices = tally.ops_without_kernel, config.portable.slices
    selection, best, first_epoch, chosen = Selection(), copy_weights(network), 0, -1
    if resumed is None:
        ledger.append(INITIAL_STEP, INITIAL_STEP, trace_initial_state(learner))
    else:
        selection, first_epoch = resumed.selection, resumed.next_epoch
        tally.go_on_from(resumed.tally)
        best = resumed.best_weights or best
        chosen = selection.epoch if resumed.best_weights else first_epoch - 1

    for epoch in range(first_epoch, config.train.epochs):
        if selection.is_exhausted(config.train):
            progress.note(f"stopped early: no better {config.train.monitor} lately")
            break
        set_training_mode(network, config.model)
        losses = []
        for batch in iterate_batches(config, train, epoch):
            where = f"step {batch.step}, epoch {epoch}"
            with arithmetic(level, slices=slices, ops_without_kernel=ops, where=where):
                result = run_checked_step(learner, batch, tally.doubled)
            ledger.append(batch.step, epoch, result.parts)
            losses.append(result.loss)
            progress.advance(f"epoch {epoch}", len(losses), learner.steps_per_epoch)

        where = f"validation, epoch {epoch}"
        with arithmetic(level, slices=slices, ops_without_kernel=ops, where=where):
            figures = validate(learner, dataset, progress)
        mean_loss = take_mean(losses, level)
        line = {"epoch": epoch, "train_loss": mean_loss, "val": figures and figures.to_json()}
        record.append_metrics(line)
        progress.note(describe_epoch(epoch, config.train.epochs, mean_loss, figures))

        monitored = getattr(figures, config.train.monitor) if figures is not None else None
        improved = selection.consider(epoch, monitored, config.train)
        if improved or config.train.keep_weights == "last":
            best, chosen = copy_weights(network), epoch
        if (epoch + 1) % config.train.checkpoint_every == 0:
            # A checkpoint must not survive a power failure that its steps do not.
            ledger.flush()
            write_checkpoint(
                record.directory,
                learner,
                Checkpoint(
                    next_epoch=epoch + 1,
                    next_step=(epoch + 1) * learner.steps_per_epoch,
                    ledger_head=ledger.head,
                    selection=selection,
                    tally=tally.to_json(),
                    best_weights=best if config.train.keep_weights == "best" else None,
                ),
            )
    return Trained(weights=best, epoch=chosen, selection=selection)


def take_mean(losses: Sequence[float], level: Level) -> float:
    """Return the mean loss; at ``portable`` by one rounding of the sum.

    Python's own sum of floats depends on its version.
    Source: docs.python.org, "What's New In Python 3.12", on sum.
    """
    total = math.fsum(losses) if level is Level.PORTABLE else sum(losses)
    return total / len(losses)


def trace_initial_state(learner: Learner) -> dict[str, dict[str, bytes]]:
    """Return the digests of the ledger's first line."""
    return {
        "random": trace_generators(),
        "buffers": trace_buffers(learner.network),
        "parameters": trace_parameters(learner.network),
    }


def validate(learner: Learner, dataset: Dataset, progress: Progress) -> Metrics | None:
    """Return the figures of the validation split, or None where there is none."""
    split = dataset.split("val")
    if not len(split):
        return None
    classes = dataset.lock.classes
    predictions = predict_split(learner.network, split, classes, learner.config, progress=progress)
    return compute_metrics(classes, predictions, level=learner.config.determinism)


def describe_epoch(epoch: int, epochs: int, loss: float, figures: Metrics | None) -> str:
    """Return one line about an epoch."""
    text = f"epoch {epoch + 1}/{epochs}  train loss {loss:.4f}"
    if figures is not None:
        shown = {"accuracy": figures.accuracy, "auroc": figures.auroc}
        text += "".join(
            f"  val {name} {'undefined' if value is None else f'{value:.4f}'}"
            for name, value in shown.items()
        )
    return text
