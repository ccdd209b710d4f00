"""What the ledger says of a step: the digest of every tensor that took part, part by part."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from cxr.digests.tensors import digest_tensors, digest_value
from cxr.records.predictions import Prediction
from cxr.training.batches import Batch
from cxr.training.optimizer import name_optimizer_state

Digests = dict[str, bytes]


def trace_samples(batch: Batch) -> Digests:
    """Digest which samples a batch holds, in which order."""
    return {"indices": digest_value(batch.indices)}


def trace_batch(batch: Batch) -> Digests:
    """Digest what the step computes on."""
    digests = {"images": digest_value(batch.images_BCHW), "labels": digest_value(batch.labels)}
    if batch.known is not None:
        digests["known"] = digest_value(batch.known)
    return digests


def trace_generators() -> Digests:
    """Digest the global generators' states: one draw more or fewer changes them."""
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - others draw from it
    digests = {
        "python": digest_value(random.getstate()),
        "numpy": digest_value([numpy_state["state"]["key"].tolist(), numpy_state["state"]["pos"]]),
        "torch": digest_value(torch.get_rng_state()),
    }
    if torch.cuda.is_initialized():
        digests["cuda"] = digest_value(torch.cuda.get_rng_state())
    return digests


def trace_buffers(network: nn.Module) -> Digests:
    """Digest running statistics and other buffers."""
    return digest_tensors(dict(network.named_buffers()))


def trace_parameters(network: nn.Module) -> Digests:
    """Digest every parameter, trained or frozen."""
    return digest_tensors(dict(network.named_parameters()))


def trace_gradients(network: nn.Module) -> Digests:
    """Digest the gradient of every parameter that has one."""
    return digest_tensors(name_gradients(network))


def name_gradients(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the gradient of every parameter that has one."""
    gradients = {name: value.grad for name, value in network.named_parameters()}
    return {name: grad for name, grad in gradients.items() if grad is not None}


def trace_optimizer(optimizer: torch.optim.Optimizer, network: nn.Module) -> Digests:
    """Digest the learning rate that the step used and the optimizer's tensors after it."""
    rates = [group["lr"] for group in optimizer.param_groups]
    return {
        "lr": digest_value(rates),
        **digest_tensors(name_optimizer_state(optimizer, network)),
    }


def trace_predictions(predictions: Sequence[Prediction]) -> Digests:
    """Digest every logit of a split, image by image."""
    return {"logits": digest_value([list(row.logits) for row in predictions])}
