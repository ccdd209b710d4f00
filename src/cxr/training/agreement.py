"""Holding a checkpoint's tensors against the ledger, before anything of them is loaded.

A ledger line has the digest of all that its step left: of parameters, buffers and the optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from cxr.digests.tensors import digest_tensors, digest_value
from cxr.records.ledger import StepRecord, digest_part, read_whole_lines
from cxr.records.run_directory import LEDGER
from cxr.training.schedule import derive_learning_rate
from cxr.training.step import Learner
from cxr.training.trace import Digests


def load_epoch_ends(directory: Path, steps_per_epoch: int) -> dict[int, StepRecord]:
    """Return the ledger's last line of each epoch that was trained to its end, by epoch.

    Raises:
        RecordError: A line was edited, added, removed or moved.
    """
    if not (directory / LEDGER).exists():
        return {}
    return {
        record.step // steps_per_epoch: record
        for _, record in read_whole_lines(directory)
        if "samples" in record.parts and (record.step + 1) % steps_per_epoch == 0
    }


def name_disagreement(
    line: StepRecord,
    learner: Learner,
    network: Mapping[str, torch.Tensor],
    optimizer: Mapping[str, torch.Tensor] | None = None,
) -> list[str]:
    """Return the parts of a step that the tensors kept after it do not have the digest of.

    Args:
        line: The step's line.
        learner: Built from the same recipe; not changed.
        network: Parameters and buffers by name.
        optimizer: The optimizer's tensors by ``<parameter>.<name>``; None: not compared.
    """
    held: dict[str, Mapping[str, torch.Tensor]] = {
        "buffers": dict(learner.network.named_buffers()),
        "parameters": dict(learner.network.named_parameters()),
    }
    # A buffer that is not kept is the one that the network was built with.
    found: dict[str, Digests] = {
        part: digest_tensors({name: network.get(name, value) for name, value in values.items()})
        for part, values in held.items()
    }
    if optimizer is not None:
        found["optimizer"] = _digest_optimizer(line.step, learner, optimizer)
    return [part for part, digests in found.items() if digest_part(digests) != line.parts.get(part)]


def _digest_optimizer(step: int, learner: Learner, tensors: Mapping[str, torch.Tensor]) -> Digests:
    """Digest the learning rate of a step and the optimizer's tensors, ordered as in a trace."""
    config = learner.config.train
    lr = derive_learning_rate(
        config, step, steps_per_epoch=learner.steps_per_epoch, level=learner.config.determinism
    )
    places = {name: place for place, (name, _) in enumerate(learner.network.named_parameters())}
    ordered = sorted(tensors, key=lambda name: (places[name.rpartition(".")[0]], name))
    return {
        "lr": digest_value([lr] * len(learner.optimizer.param_groups)),
        **digest_tensors({name: tensors[name] for name in ordered}),
    }
