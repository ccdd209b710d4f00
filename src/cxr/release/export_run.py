"""Exporting a run: checked, written beside, measured, and named only when all of it is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.compare.sound_run import load_sound_run
from cxr.config.control_plan import derive_control_plan
from cxr.config.schema import RunConfig
from cxr.data.dataset import load_same_dataset
from cxr.determinism.controls import require_device, set_controls
from cxr.errors import UsageError
from cxr.interruption import obey
from cxr.progress import SILENCE, Progress
from cxr.records.named_files import load_named_lock
from cxr.records.run_config import load_recorded_config
from cxr.records.whole_directory import find_target, growing_beside, name_directory
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
    target = find_target(directory, what="export", option=None)
    if onnx:
        from cxr.release.onnx_model import import_onnx

        import_onnx()
    manifest = load_sound_run(run)
    config = load_recorded_config(run, manifest, root=root)
    # Only now: they import torch, which takes longer than all that is checked before.
    from cxr.release.timm_config import require_timm_model
    from cxr.release.write_export import Exporter

    require_timm_model(config)
    set_controls(derive_control_plan(config))
    require_device(config.device)
    lock = load_named_lock(run, manifest)
    dataset = load_same_dataset(config.data, lock, progress=progress)
    with growing_beside(target) as growing:
        record = Exporter(
            run=run,
            manifest=manifest,
            config=config,
            dataset=dataset,
            growing=growing,
            progress=progress,
        ).write(onnx=onnx, license_name=license_name, changed_code=changed_code)
        obey("the export")
        name_directory(growing, target)
    return Export(directory=directory, record=record, config=config)


def _require_license(name: str | None) -> None:
    if name is not None and not _LICENSE.fullmatch(name):
        raise UsageError(
            "the licence is no identifier",
            where=f"--license {name}",
            hint="name it as SPDX or the hub does, as in --license cc-by-4.0",
        )
