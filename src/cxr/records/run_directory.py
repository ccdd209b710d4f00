"""The run directory: its name, its files, and the lock that its one writer holds."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cxr.atomic import TEMPORARY, storage_errors
from cxr.errors import RecordError, RunDirectoryError

MANIFEST: Final = "manifest.json"
CONFIG: Final = "config.yaml"
LOOP_CONFIG: Final = "config.json"
ENVIRONMENT: Final = "env.json"
DATA_LOCK: Final = "data.lock.json"
PATCH: Final = "code.patch"
PACKAGE_LOCK: Final = "uv.lock"
LEDGER: Final = "ledger.jsonl"
TENSORS: Final = "tensors.bin"
METRICS: Final = "metrics.jsonl"
PREDICTIONS: Final = "predictions.csv"
VALIDATION_PREDICTIONS: Final = "validation_predictions.csv"
CHECKPOINTS: Final = "checkpoints"
WEIGHTS: Final = "model.safetensors"
EVALUATIONS: Final = "evaluations"
LOCK: Final = "run.lock"
PACK_INDEX: Final = "pack.json"
REPEAT: Final = "repeat.json"
REPRODUCTION: Final = "reproduction.json"
REPRODUCED_RUN: Final = "run"
REPRODUCED_RECORD: Final = "record"

RUNS: Final = Path("runs")
"""Where records go that no ``--out`` names a place for."""

_FILE_MANAGERS: Final = (".DS_Store", "Thumbs.db", "desktop.ini")
_SHORT_DIGEST: Final = 8


def name_run(config_name: str, recipe_digest: str, now: datetime) -> str:
    """Return ``<config name>-<UTC time>-<short recipe digest>``."""
    short = recipe_digest.partition(":")[2][:_SHORT_DIGEST]
    return f"{config_name}-{now:%Y%m%dT%H%M%SZ}-{short}"


def remove_half_written(path: Path) -> None:
    """Remove from a run directory, whose lock is held, what a killed writer left half-written.

    That is temporary files, and tensors of a checkpoint whose JSON was never written.

    Raises:
        StorageError: It cannot be removed.
    """
    temporary = [
        file
        for file in (*path.iterdir(), *(path / CHECKPOINTS).glob("*"))
        if _is_temporary(file.name)
    ]
    tensors = (path / CHECKPOINTS).glob("step-*.safetensors")
    halves = [file for file in tensors if not file.with_suffix(".json").exists()]
    for file in [*temporary, *halves]:
        with storage_errors(file):
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def hold_lock(path: Path, *, option: str | None = None) -> Iterator[None]:
    """Hold a run directory's lock while the block writes to it.

    Args:
        path: The directory.
        option: The one with which another directory could be named, for an error.

    Raises:
        RunDirectoryError: Another process holds it.
    """
    import filelock

    lock = filelock.FileLock(path / LOCK)
    with storage_errors(path / LOCK):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            or_another = "" if option is None else f", or name another directory with {option}"
            raise RunDirectoryError(
                "another process is writing to this run directory",
                where=str(path),
                hint=f"wait for it to end{or_another}",
            ) from error
    try:
        yield
    finally:
        try:
            # Before it is let go: after that the file may be another process's lock.
            (path / LOCK).unlink(missing_ok=True)
        finally:
            lock.release()


def list_files(path: Path) -> list[Path]:
    """Return the files that a run's manifest names, in name order.

    Without the manifest itself, the lock and later evaluations; a link is no file of a record, nor
    is what a killed process had half written.
    """
    return [
        path / entry.path
        for entry in walk_record(path)
        if entry.is_file and not entry.path.endswith(TEMPORARY)
    ]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a record's directory.

    Attributes:
        path: POSIX path below it.
        is_file: Whether it is a regular file: no link, no pipe, no device.
    """

    path: str
    is_file: bool


def walk_record(path: Path) -> list[Entry]:
    """Return everything in a record's directory but directories, in name order.

    Left out, where they are what they should be: the manifest and the lock, which are regular
    files, the directory of later evaluations, and what a file manager leaves behind when somebody
    looks at a folder.

    Raises:
        RecordError: A directory cannot be read.
    """
    found: list[Entry] = []
    for parent, children, names in os.walk(path, onerror=_refuse_directory):
        here = Path(parent)
        links = [name for name in children if (here / name).is_symlink()]
        if here == path and EVALUATIONS in children and EVALUATIONS not in links:
            children.remove(EVALUATIONS)
        if here == path:
            # A directory of that name is no lock and no manifest: what is in it is not the run's.
            links += [name for name in children if name in (MANIFEST, LOCK) and name not in links]
        for name in [*names, *links]:
            is_file = stat.S_ISREG((here / name).lstat().st_mode)
            expected = name in _FILE_MANAGERS or (here == path and name in (MANIFEST, LOCK))
            if not (is_file and expected):
                found.append(Entry((here / name).relative_to(path).as_posix(), is_file))
    return sorted(found, key=lambda entry: entry.path)


def is_left_by_file_manager(path: Path) -> bool:
    """Say whether a file is what a file manager leaves when somebody looks at a folder."""
    return path.name in _FILE_MANAGERS and stat.S_ISREG(path.lstat().st_mode)


def _refuse_directory(error: OSError) -> None:
    """Say that a directory of a record cannot be read, instead of passing it over."""
    raise RecordError(
        f"cannot read the record: {error.strerror or error}",
        where=str(error.filename),
        hint="check the path and its permissions",
    ) from error


def _is_temporary(name: str) -> bool:
    """Say whether a file has the name of one that `atomic_writer` has not finished."""
    return name.startswith(".") and name.endswith(TEMPORARY)
