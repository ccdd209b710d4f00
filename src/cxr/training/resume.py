"""Going on with a run that was stopped: the same recipe, from the newest sound checkpoint."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cxr.config.fields import find_recipe_fields
from cxr.data.groups import list_other_groups
from cxr.data.sources.other_key import is_other_key
from cxr.determinism.levels import Level
from cxr.digests.files import digest_file
from cxr.environment.capture import capture_environment
from cxr.environment.facts import (
    ARITHMETIC,
    digest_environment,
    find_levels,
    flatten_environment,
)
from cxr.errors import RecordError, StorageError
from cxr.json_file import load_json_object
from cxr.progress import Progress
from cxr.records.data_lock import load_data_lock
from cxr.records.epoch_figures import read_epoch_lines
from cxr.records.ledger import CHAIN_START
from cxr.records.manifest import Manifest
from cxr.records.run_directory import (
    CHECKPOINTS,
    DATA_LOCK,
    ENVIRONMENT,
    LEDGER,
    METRICS,
)
from cxr.training.agreement import load_epoch_ends
from cxr.training.checkpoint import Checkpoint, list_checkpoints, restore_checkpoint
from cxr.training.prepare import Prepared
from cxr.training.step import Learner

_NAMED: Final = 3
"""How many images that changed are named one by one."""


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
    """Return the first images that were changed, added or removed, or are of other patients.

    Where all have other names by another key, that is named alone.
    """
    recorded, found = load_data_lock(directory / DATA_LOCK), prepared.dataset.lock
    if prepared.recipe["data_digest"] == manifest["recipe"]["data_digest"]:
        names = [f"the patient of {path}" for path, _, _ in list_other_groups(recorded, found)]
        return _name_first(names)
    if is_other_key(prepared.config.data, recorded.samples, found.samples):
        return ["the key of the pseudonyms (data.pseudonym_key)"]
    before, now = (
        {sample.path: (sample.sha256, sample.label, sample.split) for sample in lock.samples}
        for lock in (recorded, found)
    )
    names = [f"data {path}" for path in {**before, **now} if before.get(path) != now.get(path)]
    return _name_first(names) or ["data.classes"]


def _name_first(names: list[str]) -> list[str]:
    more = [f"{len(names) - _NAMED} more images"] if len(names) > _NAMED else []
    return [*names[:_NAMED], *more]


def _name_code_and_weights(manifest: Manifest, prepared: Prepared) -> list[str]:
    """Say whether cxr's own sources or the given weights are others."""
    names = {
        "code_digest": "the code of cxr",
        "arithmetic": "the portable arithmetic",
        "weights_in": "model.weights",
    }
    before, now = manifest["recipe"], prepared.recipe
    return [name for field, name in names.items() if now.get(field) != before.get(field)]


def _name_environment(directory: Path, manifest: Manifest) -> list[str]:
    """Return the facts that are others and act at the run's level; ``warn`` goes on anywhere."""
    level, found = Level(manifest["recipe"]["determinism"]), capture_environment()
    if level is Level.WARN or digest_environment(found, level) == manifest["environment_digest"]:
        return []
    then, now = (
        flatten_environment(capture)
        for capture in (load_json_object(directory / ENVIRONMENT), found)
    )
    # Of the arithmetic the recipe tells.
    acting = [n for n in {**then, **now} if level in find_levels(n) and n != ARITHMETIC]
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


def find_place(
    directory: Path, manifest: Manifest, learner: Learner, progress: Progress
) -> Checkpoint | None:
    """Restore the newest sound checkpoint, or return None where there is none.

    One that is damaged, was changed since the manifest was sealed, or is not what the ledger saw is
    named and passed over for the one before it.

    Raises:
        RecordError: The ledger's chain breaks.
    """
    epoch_ends = load_epoch_ends(directory, learner.steps_per_epoch)
    for path in reversed(list_checkpoints(directory)):
        try:
            _require_as_sealed(path, manifest)
            checkpoint = restore_checkpoint(path, learner, epoch_ends)
        except RecordError as error:
            progress.note(f"{error.problem}: {path.name}; looking for the one before it")
            continue
        progress.note(f"going on after step {checkpoint.next_step - 1}")
        return checkpoint
    progress.note("no checkpoint to go on from: the steps are run from the first")
    return None


def _require_as_sealed(path: Path, manifest: Manifest) -> None:
    """Compare both files of a checkpoint with a manifest that names files.

    Raises:
        RecordError: One is not as it was, or is not named.
    """
    files = manifest.get("files")
    if files is None:
        return
    for file in (path, path.with_suffix(".safetensors")):
        if not file.is_file() or files.get(f"{CHECKPOINTS}/{file.name}") != digest_file(file):
            raise RecordError(
                "a checkpoint was changed since the run stopped",
                where=str(file),
                hint="remove it to go on from the one before it, or train again",
            )


def find_passed_over(directory: Path, place: Checkpoint | None) -> list[Path]:
    """Return the checkpoints behind the one that the run goes on from.

    They have to go before the manifest says that the run goes on: the next one to be sealed must
    not name them.
    """
    first = place.next_step if place is not None else 0
    return [path for path in list_checkpoints(directory) if path.stem > f"step-{first:09d}"]


def find_ledger_head(directory: Path, checkpoint: Checkpoint | None) -> str | None:
    """Return the chain at which the ledger goes on; None where it was never begun."""
    if not (directory / LEDGER).exists():
        return None
    return checkpoint.ledger_head if checkpoint is not None else CHAIN_START


def read_earlier_metrics(directory: Path, next_epoch: int) -> bytes:
    """Return the lines of the epochs that are not run again.

    Raises:
        RecordError: A line is no epoch's figures, or those of an epoch are missing.
    """
    kept = [(epoch, raw) for epoch, raw in read_epoch_lines(directory) if epoch < next_epoch]
    epochs = [epoch for epoch, _ in kept]
    for epoch in range(next_epoch):
        if epochs[epoch : epoch + 1] != [epoch]:
            raise RecordError(
                f"the figures of epoch {epoch} are missing",
                where=str(directory / METRICS),
                hint="restore the file, or train again",
            )
    return b"".join(raw for _, raw in kept)
