"""Going on with a run that was stopped: the same recipe, from the newest sound checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.errors import RecordError
from cxr.progress import Progress
from cxr.records.atomic import write_bytes
from cxr.records.environment import capture_environment
from cxr.records.facts import digest_environment, find_levels, flatten_environment
from cxr.records.json_file import load_json_object
from cxr.records.ledger import CHAIN_START
from cxr.records.manifest import Manifest, load_sealed_run
from cxr.records.recipe import Recipe
from cxr.records.run_config import load_run_config
from cxr.records.run_directory import CONFIG, ENVIRONMENT, LEDGER, METRICS
from cxr.training.checkpoint import Checkpoint, list_checkpoints, restore_checkpoint
from cxr.training.step import Learner


def load_stopped_run(directory: Path, *, root: Path | None = None) -> tuple[RunConfig, Manifest]:
    """Return the config and manifest of a run that is to go on.

    Args:
        directory: The run directory.
        root: The data set's root here; by default the one that the run used.

    Raises:
        RecordError: It is no run directory, or its manifest was edited.
        ConfigError: Its config was edited beyond reading.
        DataError: Its data set is not where it was.
    """
    manifest = load_sealed_run(directory)
    if manifest["status"] == "completed":
        return load_config(directory / CONFIG), manifest
    return load_run_config(directory, root=root), manifest


def require_same_inputs(directory: Path, manifest: Manifest, recipe: Recipe) -> None:
    """Refuse to go on with other inputs than the run began with.

    Raises:
        RecordError: The recipe, or under ``strict`` the environment, is another one; what differs
            is named.
    """
    before = manifest["recipe"]
    changed = [name for name in recipe if recipe[name] != before.get(name)]
    if changed:
        raise RecordError(
            f"the run cannot go on: {', '.join(changed)} changed since it began",
            where=str(directory),
            hint="restore what changed (cxr data verify --lock names data), or train afresh",
        )
    level = Level(before["determinism"])
    found = capture_environment()
    if level is Level.WARN or digest_environment(found, level) == manifest["environment_digest"]:
        return
    then, now = (
        flatten_environment(capture)
        for capture in (load_json_object(directory / ENVIRONMENT), found)
    )
    names = [n for n in now if now[n] != then.get(n) and level in find_levels(n)]
    raise RecordError(
        f"the run cannot go on here at {level}: {', '.join(names)} differ",
        where=str(directory),
        hint="go on where it began, or train afresh",
    )


def find_place(directory: Path, learner: Learner, progress: Progress) -> Checkpoint | None:
    """Restore the newest sound checkpoint, or return None where there is none.

    A damaged one is named and left aside for the one before it.
    """
    for path in reversed(list_checkpoints(directory)):
        try:
            checkpoint = restore_checkpoint(path, learner)
        except RecordError as error:
            progress.note(f"{error.problem}: {path.name}; going on from the one before it")
            continue
        progress.note(f"going on after step {checkpoint.next_step - 1}")
        return checkpoint
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
