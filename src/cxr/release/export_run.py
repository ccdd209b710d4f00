"""Exporting a run: checked, written beside, measured, and named only when all of it is there."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.atomic import flush_directory, make_directory, storage_errors
from cxr.compare.verify_run import verify_run
from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset, load_dataset
from cxr.determinism.controls import ControlPlan, require_device, set_controls
from cxr.errors import DataError, RecordError, RunDirectoryTakenError, UsageError
from cxr.interruption import obey
from cxr.progress import SILENCE, Progress
from cxr.records.manifest import Manifest, load_sealed_run
from cxr.records.run_config import load_recorded_config
from cxr.records.run_directory import require_outside_records, require_writable
from cxr.release.export_record import ExportRecord

_LICENSE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An exported directory.

    Attributes:
        directory: Where it is.
        record: Its ``export.json``.
        config: The run's config.
    """

    directory: Path
    record: ExportRecord
    config: RunConfig


def export_run(
    run: Path,
    directory: Path,
    *,
    onnx: bool = False,
    license_name: str | None = None,
    changed_code: str | None = None,
    root: Path | None = None,
    progress: Progress = SILENCE,
) -> Export:
    """Export a completed run of a timm model.

    Args:
        run: The run directory.
        directory: Where the export goes: new or empty.
        onnx: Whether ``model.onnx`` is written as well.
        license_name: Identifier of the licence that the card names; by default none.
        changed_code: What was changed in the code since its commit, in words for the card.
        root: The data set's root here; by default the one that the run used.
        progress: Told how far it is.

    Raises:
        UsageError: The licence is no identifier.
        RunDirectoryTakenError: Something stands at ``directory``, or it lies inside a record.
        RecordError: The run is not complete, or does not verify.
        WeightsError: The model is not timm's, or what was exported is another one.
        InstallationError: ONNX is asked for, and the extra is not there.
        DataError: The data is not the run's.
        StorageError: The export cannot be written.
    """
    _require_license(license_name)
    _require_free(directory)
    if onnx:
        from cxr.release.onnx_model import import_onnx

        import_onnx()
    manifest = load_sound_run(run)
    config = load_recorded_config(run, manifest, root=root)
    # Only now: they import torch, which takes longer than all that is checked before.
    from cxr.release.timm_config import require_timm_model
    from cxr.release.write_export import Exporter

    require_timm_model(config)
    plan = ControlPlan(
        level=config.determinism, threads=config.threads, fill_memory=config.fill_memory
    )
    set_controls(plan)
    require_device(config.device)
    dataset = _load_same_data(config, manifest, progress)
    place = directory.absolute().parent
    make_directory(place)
    with storage_errors(place), tempfile.TemporaryDirectory(prefix=".", dir=place) as temporary:
        growing = Path(temporary) / "export"
        make_directory(growing)
        record = Exporter(
            run=run,
            manifest=manifest,
            config=config,
            dataset=dataset,
            growing=growing,
            progress=progress,
        ).write(onnx=onnx, license_name=license_name, changed_code=changed_code)
        obey("the export")
        growing.rename(directory)
        flush_directory(place)
    return Export(directory=directory, record=record, config=config)


def _require_license(name: str | None) -> None:
    if name is not None and not _LICENSE.fullmatch(name):
        raise UsageError(
            "the licence is no identifier",
            where=f"--license {name}",
            hint="name it as SPDX or the hub does, as in --license cc-by-4.0",
        )


def _require_free(directory: Path) -> None:
    """Refuse a place where something already stands, or that lies inside a record.

    Raises:
        RunDirectoryTakenError: Saying which.
        StorageError: Nothing can be written there.
    """
    hint = "name another directory; an export is never written over"
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise RunDirectoryTakenError(
            "a file or a link stands where the export would be written",
            where=str(directory),
            hint=hint,
        )
    if directory.is_dir() and any(directory.iterdir()):
        raise RunDirectoryTakenError(
            "the directory of the export already exists and is not empty",
            where=str(directory),
            hint=hint,
        )
    try:
        require_outside_records(directory, what="export")
    except RunDirectoryTakenError as error:
        raise RunDirectoryTakenError(error.problem, where=error.where, hint=hint) from error
    require_writable(directory)


def load_sound_run(run: Path) -> Manifest:
    """Read the manifest of a run that completed and verifies.

    Raises:
        RecordError: It did not, or does not.
    """
    manifest = load_sealed_run(run, completed=True)
    findings = verify_run(run).findings
    if findings:
        first = findings[0]
        raise RecordError(
            f"the run does not verify: {first.path} {first.problem}",
            where=str(run),
            hint="restore it; cxr verify names every finding",
        )
    return manifest


def _load_same_data(config: RunConfig, manifest: Manifest, progress: Progress) -> Dataset:
    """Load the data that a run was trained and tested on.

    Raises:
        DataError: It is other data now.
    """
    wanted = manifest["recipe"]["data_digest"]
    dataset = load_dataset(config.data, recorded={wanted}, progress=progress)
    if dataset.lock.digest != wanted:
        raise DataError(
            "the data set is not the one that the run used",
            where=config.data.root or config.data.source,
            hint="cxr data verify DIR --lock RUN/data.lock.json names what differs",
        )
    return dataset
