"""Going on with a run that was stopped: the same recipe, from the newest sound checkpoint."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cxr.config.fields import find_recipe_fields
from cxr.determinism.levels import Level
from cxr.errors import RecordError, StorageError
from cxr.progress import Progress
from cxr.records.atomic import write_bytes
from cxr.records.data_lock import load_data_lock
from cxr.records.environment import capture_environment
from cxr.records.facts import digest_environment, find_levels, flatten_environment
from cxr.records.json_file import load_json_object
from cxr.records.ledger import CHAIN_START
from cxr.records.manifest import Manifest
from cxr.records.run_directory import CONFIG, DATA_LOCK, ENVIRONMENT, LEDGER, METRICS
from cxr.training.checkpoint import Checkpoint, list_checkpoints, restore_checkpoint
from cxr.training.prepare import Prepared
from cxr.training.step import Learner

_NAMED: Final = 3
"""How many images that changed are named one by one."""


def require_inputs(directory: Path) -> None:
    """Refuse a run that was killed before all of its inputs were written, or that lost one.

    Raises:
        RecordError: One is missing.
    """
    missing = [n for n in (CONFIG, ENVIRONMENT, DATA_LOCK) if not (directory / n).is_file()]
    if missing:
        raise RecordError(
            f"the run cannot go on: it lacks {', '.join(missing)}",
            where=str(directory),
            hint="restore it; a run killed as it began has lost nothing: remove it, train afresh",
        )


def require_same_inputs(directory: Path, manifest: Manifest, prepared: Prepared) -> None:
    """Refuse to go on with other inputs than the run began with.

    Raises:
        RecordError: The recipe, or except under ``warn`` the environment, is another one; what
            differs is named.
    """
    changed = [
        *_name_config(manifest, prepared),
        *_name_data(directory, manifest, prepared),
        *_name_code_and_weights(manifest, prepared),
        *_name_environment(directory, manifest),
    ]
    if changed:
        raise RecordError(
            f"the run cannot go on: {', '.join(changed)} changed since it began",
            where=str(directory),
            hint="restore what changed (cxr data verify --lock names data), or train afresh",
        )


def _name_config(manifest: Manifest, prepared: Prepared) -> list[str]:
    """Return the fields of the recipe that have another value."""
    if prepared.recipe["config_digest"] == manifest["recipe"]["config_digest"]:
        return []
    before, now = manifest["config"]["recipe"], find_recipe_fields(prepared.config)
    return [name for name in {**before, **now} if before.get(name, ...) != now.get(name, ...)]


def _name_data(directory: Path, manifest: Manifest, prepared: Prepared) -> list[str]:
    """Return the first images that were changed, added or removed."""
    if prepared.recipe["data_digest"] == manifest["recipe"]["data_digest"]:
        return []
    before, now = (
        {sample.path: (sample.sha256, sample.label, sample.split) for sample in lock.samples}
        for lock in (load_data_lock(directory / DATA_LOCK), prepared.dataset.lock)
    )
    names = [f"data {path}" for path in {**before, **now} if before.get(path) != now.get(path)]
    more = [f"{len(names) - _NAMED} more images"] if len(names) > _NAMED else []
    return [*names[:_NAMED], *more] or ["data.classes"]


def _name_code_and_weights(manifest: Manifest, prepared: Prepared) -> list[str]:
    """Say whether cxr's own sources or the given weights are others."""
    names = {"code_digest": "the code of cxr", "weights_in": "model.weights"}
    before, now = manifest["recipe"], prepared.recipe
    return [name for field, name in names.items() if now[field] != before[field]]


def _name_environment(directory: Path, manifest: Manifest) -> list[str]:
    """Return the facts that are others and act at the run's level; ``warn`` goes on anywhere."""
    level, found = Level(manifest["recipe"]["determinism"]), capture_environment()
    if level is Level.WARN or digest_environment(found, level) == manifest["environment_digest"]:
        return []
    then, now = (
        flatten_environment(capture)
        for capture in (load_json_object(directory / ENVIRONMENT), found)
    )
    acting = [name for name in {**then, **now} if level in find_levels(name)]
    return [f"environment {n}" for n in acting if then.get(n) != now.get(n)] or [ENVIRONMENT]


@contextlib.contextmanager
def resumable(directory: Path) -> Iterator[None]:
    """Say how to go on where the block cannot write: what it wrote before is not lost.

    Raises:
        StorageError: The block did, with another hint.
    """
    try:
        yield
    except StorageError as error:
        raise StorageError(
            error.problem,
            where=error.where,
            hint="free space or mend the path, then go on with "
            f"cxr train --resume {shlex.quote(str(directory))}",
        ) from error


def find_place(directory: Path, learner: Learner, progress: Progress) -> Checkpoint | None:
    """Restore the newest sound checkpoint, or return None where there is none.

    A damaged one is named and left aside for the one before it.
    """
    for path in reversed(list_checkpoints(directory)):
        try:
            checkpoint = restore_checkpoint(path, learner)
        except RecordError as error:
            progress.note(f"{error.problem}: {path.name}; looking for the one before it")
            continue
        progress.note(f"going on after step {checkpoint.next_step - 1}")
        return checkpoint
    progress.note("no checkpoint to go on from: the steps are run from the first")
    return None


def find_ledger_head(directory: Path, checkpoint: Checkpoint | None) -> str | None:
    """Return the chain at which the ledger goes on; None where it was never begun."""
    if not (directory / LEDGER).exists():
        return None
    return checkpoint.ledger_head if checkpoint is not None else CHAIN_START


def drop_later_metrics(directory: Path, next_epoch: int) -> None:
    """Remove the figures of epochs that will be run again, and a line cut short.

    Raises:
        RecordError: A line is no epoch's figures.
        StorageError: The file cannot be written.
    """
    path = directory / METRICS
    if not path.exists():
        return
    lines = [raw for raw in path.read_bytes().splitlines(keepends=True) if raw.endswith(b"\n")]
    try:
        kept = [raw for raw in lines if json.loads(raw)["epoch"] < next_epoch]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise RecordError(
            "a line of the epochs' figures is damaged",
            where=str(path),
            hint="restore the file, or train again",
        ) from error
    write_bytes(path, b"".join(kept))
