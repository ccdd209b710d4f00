"""What a run is gone on with: its own files, as they were, and its data; without torch."""

from __future__ import annotations

import shlex
from pathlib import Path

from cxr.config.schema import RunConfig
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.progress import Progress
from cxr.records.manifest import Manifest
from cxr.records.run_config import load_run_config
from cxr.records.run_directory import CHECKPOINTS, CONFIG, DATA_LOCK, ENVIRONMENT
from cxr.training.inputs import Inputs, find_inputs


def find_recorded_inputs(
    directory: Path, manifest: Manifest, *, root: Path | None, progress: Progress
) -> tuple[RunConfig, Inputs]:
    """Return the recipe of a run that was stopped, and its data.

    Args:
        directory: The run directory.
        manifest: Its manifest.
        root: The data set's root here; None for the one that the run used.
        progress: Told how far it is.

    Raises:
        CxrError: A file of the run was changed or is missing, or its data cannot be had.
    """
    _require_unchanged(directory, manifest)
    _require_all(directory)
    config = load_run_config(directory, root=root)
    recorded = {manifest["recipe"]["data_digest"]}
    return config, find_inputs(config, progress, recorded=recorded)


def _require_unchanged(directory: Path, manifest: Manifest) -> None:
    """Refuse a run of which a file is not as it was when its manifest was sealed.

    The manifest of a killed run names no files. Checkpoints are looked at one by one: see
    `cxr.training.resume.find_place`.

    Raises:
        RecordError: A file was changed, or is missing.
    """
    for name, digest in manifest.get("files", {}).items():
        path = directory / name
        if path.parent == directory / CHECKPOINTS:
            continue
        if not path.is_file() or digest_file(path) != digest:
            raise RecordError(
                f"the run cannot go on: {name} {'was changed' if path.exists() else 'is missing'}",
                where=str(path),
                hint=f"restore it; cxr verify {shlex.quote(str(directory))} says more",
            )


def _require_all(directory: Path) -> None:
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
