"""Going on with a series of runs that was stopped: what is kept, gone on with, and trained anew.

A run that completed is kept once it verifies. One that was interrupted, killed, or failed goes on
through ``train --resume``, which asks for the same bits of every step that it runs again. One
that never came to a step is removed and trained afresh, as one that is missing is.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.atomic import storage_errors
from cxr.compare.verify_run import verify_run
from cxr.config.fields import digest_config
from cxr.errors import RecordError
from cxr.records.manifest import load_sealed_run
from cxr.records.run_directory import (
    CONFIG,
    DATA_LOCK,
    ENVIRONMENT,
    LEDGER,
    LOCK,
    MANIFEST,
    hold_lock,
)
from cxr.repeat.plan import RunPlan
from cxr.repeat.report import RepeatReport
from cxr.repeat.run import Task, train_planned

_INPUTS: Final = (MANIFEST, CONFIG, ENVIRONMENT, DATA_LOCK, LEDGER)
"""What ``train --resume`` cannot do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is left to do of a series.

    Attributes:
        plans: The runs to train.
        going_on: Names of those that began already.
    """

    plans: Sequence[RunPlan]
    going_on: frozenset[str]


def go_on(task: Task, directory: Path) -> RepeatReport:
    """Train what is left of a series, and compare all of it.

    Args:
        task: The series.
        directory: Its own.

    Raises:
        CxrError: A run that is there cannot be kept or gone on with, or as `train_planned`.
    """
    with hold_lock(directory):
        rest = find_rest(directory, task.plans)
        return train_planned(task, directory, left=rest.plans, going_on=rest.going_on)


def find_rest(directory: Path, plans: Sequence[RunPlan]) -> Rest:
    """Look at the runs that are there, and remove those that never came to a step.

    Args:
        directory: The series' own.
        plans: All of its runs.

    Raises:
        RecordError: A run that completed was changed since, or one is of another recipe or lost a
            file that it began with.
        RunDirectoryError: Another process is writing to one.
        StorageError: One cannot be removed.
    """
    left, going_on = [], set()
    for plan in plans:
        run = directory / plan.name
        lacking = [name for name in _INPUTS if not (run / name).is_file()]
        if run.is_dir() and lacking:
            _remove(run, lacking)
        if not run.is_dir():
            left.append(plan)
        elif not _is_complete(run, plan):
            left.append(plan)
            going_on.add(plan.name)
    return Rest(plans=left, going_on=frozenset(going_on))


def _is_complete(run: Path, plan: RunPlan) -> bool:
    """Say whether a run came to its end, and stands as it did then."""
    manifest = load_sealed_run(run)
    if manifest["recipe"]["config_digest"] != digest_config(plan.config):
        raise RecordError(
            "the run is of another recipe than the repeat",
            where=str(run),
            hint="restore it, or start a new repeat in another directory; cxr verify says more",
        )
    if manifest["status"] != "completed":
        return False
    verify_run(run).require_consistent(
        run,
        refusal="a run was changed",
        hint="restore it, or remove the run to have it trained again",
    )
    return True


def _remove(run: Path, lacking: Sequence[str]) -> None:
    """Remove what a process left that was killed before the first step of its run.

    Raises:
        RecordError: It holds a ledger, so steps were trained.
    """
    if (run / LEDGER).exists() and (run / LEDGER).stat().st_size:
        raise RecordError(
            f"the run has steps, and lacks {', '.join(lacking)}",
            where=str(run),
            hint="restore it, or remove the run's directory to have it trained afresh",
        )
    with hold_lock(run), storage_errors(run):
        for entry in run.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != LOCK:
                entry.unlink()
    with storage_errors(run):
        run.rmdir()
