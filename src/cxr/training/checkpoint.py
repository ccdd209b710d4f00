"""Checkpoints: weights, buffers and optimizer state as safetensors, the rest as JSON.

Random streams depend on the step alone, so no generator's state has to be kept. The JSON is
written last: a checkpoint without it, or in which anything has another digest, is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import BaseModel, ConfigDict, Field

from cxr.atomic import make_directory, storage_errors, write_bytes
from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError, WeightsError
from cxr.models.weights import load_tensors, write_tensors
from cxr.records.ledger import StepRecord
from cxr.records.run_directory import CHECKPOINTS
from cxr.training.agreement import name_disagreement
from cxr.training.optimizer import describe_state, name_optimizer_state
from cxr.training.selection import Selection
from cxr.training.step import Learner
from cxr.training.tally import Tally

SCHEMA: Final = "cxr.checkpoint/1"

_Tensors = dict[str, torch.Tensor]

_MODEL: Final = "model/"
_OPTIMIZER: Final = "optimizer/"
_BEST: Final = "best/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a run stands after an epoch.

    Attributes:
        next_epoch: The epoch that follows.
        next_step: The step that follows.
        ledger_head: The ledger's chain up to here.
        selection: The best epoch so far.
        tally: What was counted so far.
        best_weights: Its weights, or None where the last ones are kept.
    """

    next_epoch: int
    next_step: int
    ledger_head: str
    selection: Selection
    tally: dict[str, Any]
    best_weights: dict[str, torch.Tensor] | None


class _Content(BaseModel):
    """What a checkpoint's JSON file must hold."""

    model_config = ConfigDict(strict=True, extra="forbid")

    format: str = Field(alias="schema", pattern=f"^{SCHEMA}$")
    next_epoch: int = Field(ge=1)
    next_step: int
    ledger_head: str
    selection: Selection
    tally: dict[str, Any]
    tensors: str
    digest: str


def write_checkpoint(directory: Path, learner: Learner, checkpoint: Checkpoint) -> None:
    """Write a checkpoint into a run directory and remove those too old to keep.

    Raises:
        StorageError: It cannot be written; older ones are left as they were.
    """
    place = directory / CHECKPOINTS
    make_directory(place)
    tensors = {f"{_MODEL}{name}": value for name, value in learner.network.state_dict().items()}
    optimizer = name_optimizer_state(learner.optimizer, learner.network)
    tensors |= {f"{_OPTIMIZER}{name}": value for name, value in optimizer.items()}
    best = checkpoint.best_weights or {}
    tensors |= {f"{_BEST}{name}": value for name, value in best.items()}
    stem = f"step-{checkpoint.next_step:09d}"
    write_tensors(place / f"{stem}.safetensors", tensors, kind="checkpoint")
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "next_epoch": checkpoint.next_epoch,
        "next_step": checkpoint.next_step,
        "ledger_head": checkpoint.ledger_head,
        "selection": checkpoint.selection.to_json(),
        "tally": checkpoint.tally,
        "tensors": digest_file(place / f"{stem}.safetensors"),
    }
    content["digest"] = digest_json(content)
    write_bytes(place / f"{stem}.json", canonical_json(content) + b"\n")
    remove_checkpoints(list_checkpoints(directory)[: -learner.config.train.keep_checkpoints])


def list_checkpoints(directory: Path) -> list[Path]:
    """Return the JSON files of a run's checkpoints, oldest first."""
    return sorted((directory / CHECKPOINTS).glob("step-*.json"))


def remove_checkpoints(paths: Iterable[Path]) -> None:
    """Remove checkpoints, the JSON file first so that none is left half.

    Raises:
        StorageError: One cannot be removed.
    """
    for path in paths:
        with storage_errors(path):
            path.unlink(missing_ok=True)
            path.with_suffix(".safetensors").unlink(missing_ok=True)


def restore_checkpoint(
    path: Path, learner: Learner, epoch_ends: Mapping[int, StepRecord] | None = None
) -> Checkpoint:
    """Put a checkpoint's state into ``learner`` and return the rest of it.

    Args:
        path: The checkpoint's JSON file.
        learner: Built from the same recipe.
        epoch_ends: The ledger's last line of each epoch, by epoch, which the checkpoint must agree
            with; None where somebody else sees to that.

    Raises:
        RecordError: It is damaged, is not of this recipe, or is not what the ledger saw;
            ``learner`` is as it was.
    """
    try:
        content = _load_content(path)
        tensors = _load_checked(path.with_suffix(".safetensors"), content.tensors)
        network, optimizer, best = (_take(tensors, kind) for kind in (_MODEL, _OPTIMIZER, _BEST))
        wanted = learner.network.state_dict()
        _require_fit(network, wanted)
        _require_fit(optimizer, _describe_optimizer_state(learner, optimizer))
        if learner.config.train.keep_weights == "best":
            _require_fit(best, wanted)
        if content.next_step != content.next_epoch * learner.steps_per_epoch:
            raise ValueError("it was not taken at an epoch's end")
        Tally().go_on_from(content.tally)
    except (OSError, ValueError, KeyError, TypeError, WeightsError) as error:
        raise RecordError(
            "a checkpoint is damaged or is not of this recipe",
            where=str(path),
            hint="remove it to go on from the one before it, or train again",
        ) from error
    if epoch_ends is not None:
        _require_agreement(path, content, learner, epoch_ends, (network, optimizer, best))
    # Only now: whoever goes on from another checkpoint must find the learner as it was.
    learner.network.load_state_dict(network)
    _restore_optimizer(learner, optimizer)
    return Checkpoint(
        next_epoch=content.next_epoch,
        next_step=content.next_step,
        ledger_head=content.ledger_head,
        selection=content.selection,
        tally=content.tally,
        best_weights=best or None,
    )


def _load_content(path: Path) -> _Content:
    """Read a checkpoint's JSON.

    Raises:
        ValueError: It is not what was written.
        OSError: It cannot be read.
    """
    raw = path.read_bytes()
    content = _Content.model_validate_json(raw)
    rest = {name: value for name, value in json.loads(raw).items() if name != "digest"}
    if content.digest != digest_json(rest):
        raise ValueError("the JSON has another digest")
    return content


def _require_agreement(
    path: Path,
    content: _Content,
    learner: Learner,
    epoch_ends: Mapping[int, StepRecord],
    tensors: tuple[_Tensors, _Tensors, _Tensors],
) -> None:
    """Hold the tensors of network, optimizer and best weights against the ledger.

    Raises:
        RecordError: They are not those that it saw.
    """
    network, optimizer, best = tensors
    line = epoch_ends.get(content.next_epoch - 1)
    if line is None or line.chain != content.ledger_head:
        differing = ["its step"]
    else:
        differing = name_disagreement(line, learner, network, optimizer)
    if best and not differing:
        chosen = epoch_ends.get(content.selection.epoch)
        differing = ["the best weights"]
        if chosen is not None and not name_disagreement(chosen, learner, best):
            differing = []
    if differing:
        raise RecordError(
            f"a checkpoint is not what the ledger saw ({', '.join(differing)})",
            where=str(path),
            hint="remove it to go on from the one before it, or train again",
        )


def _load_checked(path: Path, digest: str) -> dict[str, torch.Tensor]:
    """Read the tensors of a checkpoint whose file has the digest that its JSON says.

    Raises:
        ValueError: It has another one.
        OSError: It cannot be read.
        WeightsError: It is not safetensors.
    """
    if digest_file(path) != digest:
        raise ValueError("the tensors have another digest")
    return load_tensors(path)


def _require_fit(found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> None:
    """Compare names, shapes and dtypes.

    Raises:
        ValueError: They differ.
    """
    kinds = [
        {name: (value.shape, value.dtype) for name, value in tensors.items()}
        for tensors in (found, wanted)
    ]
    if kinds[0] != kinds[1]:
        raise ValueError("its tensors have other names, shapes or dtypes")


def _describe_optimizer_state(
    learner: Learner, found: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return tensors, without content, like those that the optimizer keeps at an epoch's end.

    A parameter that never had a gradient has none of them; which these are, only ``found`` says.
    """
    return {
        f"{name}.{key}": like
        for name, parameter in learner.network.named_parameters()
        if parameter.requires_grad and any(key.startswith(f"{name}.") for key in found)
        for key, like in describe_state(learner.config.train, parameter).items()
    }


def _restore_optimizer(learner: Learner, tensors: dict[str, torch.Tensor]) -> None:
    """Give each parameter the optimizer state that was kept for it."""
    parameters = dict(learner.network.named_parameters())
    for name, tensor in tensors.items():
        owner, _, key = name.rpartition(".")
        # Fused kernels count their steps on the device as well.
        learner.optimizer.state[parameters[owner]][key] = tensor.to(parameters[owner].device)


def _take(tensors: _Tensors, prefix: str) -> _Tensors:
    """Return the tensors below a prefix, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
