"""The parts of one step of somebody else's loop, noted as they come about.

Of several batches whose gradients are added up, each has its number before its names; so has
each update of a step that makes several, and each optimizer of several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from cxr.digests.tensors import digest_tensors, digest_value
from cxr.integrations.batch_tensors import digest_batch
from cxr.records.ledger import PARTS
from cxr.training.optimizer import name_optimizer_state
from cxr.training.trace import (
    Digests,
    trace_buffers,
    trace_generators,
    trace_gradients,
    trace_parameters,
)


class StepParts:
    """Digests of one step, by part.

    Attributes:
        unknown: Class names of what batches held that no digest was taken of.
    """

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self._parts: dict[str, Digests] = {part: {} for part in PARTS[:-1]}
        self._rates: list[Any] = []
        self._num_batches = 0
        self._num_losses = 0
        self._num_updates = 0

    def note_generators(self) -> None:
        """Note the global generators, as they are before anything is computed."""
        self._parts["random"] = trace_generators()

    def add_batch(self, batch: Any, indices: list[int] | None) -> None:
        """Note a batch, and the samples in it or at least how many there are."""
        found = digest_batch(batch)
        prefix = _number(self._num_batches)
        self._parts["batch"] |= {f"{prefix}{name}": one for name, one in found.digests.items()}
        if indices is not None:
            self._parts["samples"][f"{prefix}indices"] = digest_value(indices)
        else:
            self._parts["samples"][f"{prefix}size"] = digest_value(found.size)
        self.unknown += found.unknown
        self._num_batches += 1

    def add_loss(self, loss: torch.Tensor | float) -> None:
        """Note a loss, as it is held: a number, or a tensor of any type."""
        value = loss.detach() if isinstance(loss, torch.Tensor) else repr(loss)
        self._parts["loss"][f"{_number(self._num_losses)}loss"] = digest_value(value)
        self._num_losses += 1

    def note_gradients(
        self, network: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
    ) -> None:
        """Note buffers, gradients and the learning rates that the update is about to use."""
        prefix = _number(self._num_updates)
        self._parts["buffers"] = trace_buffers(network)
        gradients = trace_gradients(network)
        self._parts["gradients"] |= {f"{prefix}{name}": one for name, one in gradients.items()}
        self._rates += [
            _describe_rate(group["lr"]) for one in optimizers for group in one.param_groups
        ]
        self._num_updates += 1

    def finish(
        self, network: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
    ) -> dict[str, Digests]:
        """Return every part that there is, once the weights are updated."""
        state: Digests = {"lr": digest_value(self._rates)}
        for number, optimizer in enumerate(optimizers):
            tensors = digest_tensors(name_optimizer_state(optimizer, network))
            state |= {f"{_number(number)}{name}": one for name, one in tensors.items()}
        self._parts["optimizer"] = state
        self._parts["parameters"] = trace_parameters(network)
        # Without samples a line counts as no step: there is always at least their number.
        if not self._parts["samples"]:
            self._parts["samples"] = {"size": digest_value(None)}
        return {part: digests for part, digests in self._parts.items() if digests}


def _number(place: int) -> str:
    """Return what stands before the names of the second of several, and of later ones."""
    return f"{place}." if place else ""


def _describe_rate(rate: Any) -> Any:
    """Return a learning rate; some optimizers hold it as a tensor."""
    return repr(float(rate)) if not isinstance(rate, (int, float)) else rate
