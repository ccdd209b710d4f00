"""Checkpoints: weights, buffers and optimizer state as safetensors, the rest as JSON.

Random streams depend on the step alone, so no generator's state has to be kept. The JSON is
written last: a checkpoint without it, or whose tensors have another digest, is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from cxr.digests.canonical import canonical_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.models.weights import load_tensors, write_tensors
from cxr.records.atomic import make_directory, write_bytes
from cxr.records.json_file import load_json_object
from cxr.records.run_directory import CHECKPOINTS
from cxr.training.optimizer import name_optimizer_state
from cxr.training.selection import Selection
from cxr.training.step import Learner

SCHEMA: Final = "cxr.checkpoint/1"

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
    write_bytes(place / f"{stem}.json", canonical_json(content) + b"\n")
    _prune(place, keep=learner.config.train.keep_checkpoints)


def list_checkpoints(directory: Path) -> list[Path]:
    """Return the JSON files of a run's checkpoints, oldest first."""
    return sorted((directory / CHECKPOINTS).glob("step-*.json"))


def restore_checkpoint(path: Path, learner: Learner) -> Checkpoint:
    """Put a checkpoint's state into ``learner`` and return the rest of it.

    Args:
        path: The checkpoint's JSON file.
        learner: Built from the same recipe.

    Raises:
        RecordError: It is damaged, or is not of this recipe.
    """
    content = load_json_object(path)
    tensors_path = path.with_suffix(".safetensors")
    try:
        sound = digest_file(tensors_path) == content["tensors"]
        tensors = load_tensors(tensors_path) if sound else {}
        learner.network.load_state_dict(_take(tensors, _MODEL))
        _restore_optimizer(learner, _take(tensors, _OPTIMIZER))
        return Checkpoint(
            next_epoch=content["next_epoch"],
            next_step=content["next_step"],
            ledger_head=content["ledger_head"],
            selection=Selection(**content["selection"]),
            tally=content["tally"],
            best_weights=_take(tensors, _BEST) or None,
        )
    except (OSError, KeyError, TypeError, RuntimeError) as error:
        raise RecordError(
            "a checkpoint is damaged or is not of this recipe",
            where=str(path),
            hint="remove it to go on from the one before it, or train again",
        ) from error


def _restore_optimizer(learner: Learner, tensors: dict[str, torch.Tensor]) -> None:
    """Give each parameter the optimizer state that was kept for it."""
    for name, parameter in learner.network.named_parameters():
        prefix = f"{name}."
        kept = {key.removeprefix(prefix): key for key in tensors if key.startswith(prefix)}
        state = {
            # Fused kernels count their steps on the device as well.
            short: tensors[key].to(parameter.device)
            for short, key in kept.items()
            if "." not in short
        }
        if state:
            learner.optimizer.state[parameter] = state


def _take(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors below a prefix, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _prune(place: Path, *, keep: int) -> None:
    """Remove all but the newest checkpoints, the JSON first so that none is left half."""
    for path in sorted(place.glob("step-*.json"))[:-keep]:
        path.unlink()
        path.with_suffix(".safetensors").unlink(missing_ok=True)
