"""One training step: seeds, forward and backward of each shard, update, and its trace."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.determinism.seeding import seed_global_generators
from cxr.determinism.streams import derive_seed
from cxr.digests.tensors import digest_value
from cxr.errors import TrainingError
from cxr.evaluation.predict import autocast
from cxr.models.failures import explained_failures
from cxr.training.batches import Batch
from cxr.training.draws import shard_draws
from cxr.training.finiteness import require_finite
from cxr.training.loss import derive_share, prepare_targets
from cxr.training.optimizer import set_learning_rate
from cxr.training.schedule import derive_learning_rate
from cxr.training.trace import (
    Digests,
    name_gradients,
    trace_batch,
    trace_buffers,
    trace_generators,
    trace_gradients,
    trace_optimizer,
    trace_parameters,
    trace_samples,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """What a step changes, and what it goes by.

    Attributes:
        config: The recipe.
        network: On the config's device, in training mode.
        optimizer: Over the network's trained parameters.
        class_weights: Weights in the loss, as `derive_class_weights` gives them, on the device.
        steps_per_epoch: Steps of an epoch.
    """

    config: RunConfig
    network: nn.Module
    optimizer: torch.optim.Optimizer
    class_weights: torch.Tensor | None
    steps_per_epoch: int


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step leaves: its loss, and the digest of every tensor by part."""

    loss: float
    parts: dict[str, Digests]


def run_step(learner: Learner, batch: Batch) -> StepResult:
    """Take one step.

    Nothing carries over from the step before but weights, buffers and optimizer state: the global
    generators are seeded from the stream ``("step", n)``, and at the level ``portable`` each shard
    draws from streams of its own.

    Raises:
        TrainingError: The loss is not a finite number, or the model cannot compute the batch;
            weights are left as they were. At ``portable`` also: a gradient or a new weight is not
            a finite number.
    """
    config = learner.config
    parts: dict[str, Digests] = {"samples": trace_samples(batch), "batch": trace_batch(batch)}
    seed_global_generators(derive_seed(config.find_root("step"), "step", batch.step))
    learner.optimizer.zero_grad(set_to_none=True)
    loss = accumulate_gradients(learner, batch)
    where = f"step {batch.step}, epoch {batch.epoch}"
    parts["random"] = trace_generators()
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss is {loss}",
            where=where,
            hint="lower train.lr, add train.warmup_epochs, or use precision: float32",
        )
    parts["buffers"] = trace_buffers(learner.network)
    parts["loss"] = {"loss": digest_value(loss)}
    is_portable = config.determinism is Level.PORTABLE
    if is_portable:
        require_finite(name_gradients(learner.network), "gradient", where=where)
    parts["gradients"] = trace_gradients(learner.network)
    lr = derive_learning_rate(
        config.train,
        batch.step,
        steps_per_epoch=learner.steps_per_epoch,
        level=config.determinism,
    )
    set_learning_rate(learner.optimizer, lr)
    learner.optimizer.step()
    if is_portable:
        require_finite(dict(learner.network.named_parameters()), "new value", where=where)
    parts["optimizer"] = trace_optimizer(learner.optimizer, learner.network)
    parts["parameters"] = trace_parameters(learner.network)
    return StepResult(loss, parts)


def accumulate_gradients(learner: Learner, batch: Batch) -> float:
    """Run each logical shard forward and backward, in order; return the batch's loss.

    The loss is the batch's mean, as `cxr.training.loss` takes it; each shard adds its share of that
    mean, so gradients add up in shard order.

    Raises:
        TrainingError: The model cannot compute a shard.
    """
    config = learner.config
    images_BCHW = batch.images_BCHW.to(config.device)  # noqa: N806 - the suffix names the axes
    known = batch.known.to(config.device) if batch.known is not None else None
    targets = prepare_targets(batch.labels.to(config.device), known, learner.class_weights)
    num_images = len(images_BCHW)
    size = num_images // config.train.shards
    loss = torch.zeros((), device=config.device)
    for start in range(0, num_images, size):
        with (
            explained_failures(f"step {batch.step}, epoch {batch.epoch}, a shard of {size}"),
            shard_draws(config, batch.step, start // size),
        ):
            with autocast(config):
                logits = learner.network(images_BCHW[start : start + size])
            share = derive_share(logits.float(), targets, start, config.train)
            share.backward()
        loss = loss + share.detach()
    return float(loss)
