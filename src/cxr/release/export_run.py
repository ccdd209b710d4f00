"""Exporting a run: checked, written beside, measured, and named only when all of it is there."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from cxr.atomic import flush_directory, make_directory, storage_errors, write_bytes, write_text
from cxr.compare.verify_run import verify_run
from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset, load_dataset
from cxr.determinism.controls import ControlPlan, require_device, set_controls
from cxr.digests.canonical import canonical_json
from cxr.environment.code import digest_code
from cxr.errors import DataError, RecordError, RunDirectoryTakenError, UsageError
from cxr.evaluation.intervals import derive_intervals
from cxr.interruption import obey
from cxr.progress import SILENCE, Progress
from cxr.records.manifest import Manifest, load_sealed_run
from cxr.records.predictions import Prediction, load_predictions
from cxr.records.run_config import load_recorded_config
from cxr.records.run_directory import (
    MANIFEST as RUN_MANIFEST,
)
from cxr.records.run_directory import (
    PREDICTIONS,
    require_outside_records,
    require_writable,
)
from cxr.records.run_directory import (
    WEIGHTS as RUN_WEIGHTS,
)
from cxr.release import layout
from cxr.release.card import CardFacts, render_card
from cxr.release.export_record import ExportRecord, write_export_record
from cxr.release.exported_network import load_exported, measure_exported
from cxr.release.preprocessing import describe_preprocessing
from cxr.release.recipe_file import render_recipe
from cxr.release.timm_config import describe_timm_config, require_timm_model

_LICENSE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")
_LIBRARIES: Final = ("cxr", "torch", "timm", "safetensors", "numpy", "pillow")
_DIGESTS: Final = ("manifest_digest", "outcome_digest", "recipe_digest", "trace_digest")


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
    root: Path | None = None,
    progress: Progress = SILENCE,
) -> Export:
    """Export a completed run of a timm model.

    Args:
        run: The run directory.
        directory: Where the export goes: new or empty.
        onnx: Whether ``model.onnx`` is written as well.
        license_name: Identifier of the licence that the card names; by default none.
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
    manifest = _load_sound_run(run)
    config = load_recorded_config(run, manifest, root=root)
    require_timm_model(config)
    plan = ControlPlan(
        level=config.determinism, threads=config.threads, fill_memory=config.fill_memory
    )
    set_controls(plan)
    require_device(config.device)
    dataset = load_dataset(
        config.data, recorded={manifest["recipe"]["data_digest"]}, progress=progress
    )
    if dataset.lock.digest != manifest["recipe"]["data_digest"]:
        raise DataError(
            "the data set is not the one that the run used",
            where=config.data.root or config.data.source,
            hint="cxr data verify DIR --lock RUN/data.lock.json names what differs",
        )
    place = directory.absolute().parent
    make_directory(place)
    with storage_errors(place), tempfile.TemporaryDirectory(prefix=".", dir=place) as temporary:
        growing = Path(temporary) / "export"
        make_directory(growing)
        record = _Exporter(
            run=run,
            manifest=manifest,
            config=config,
            dataset=dataset,
            growing=growing,
            progress=progress,
        ).write(onnx=onnx, license_name=license_name)
        obey("the export")
        growing.rename(directory)
        flush_directory(place)
    return Export(directory=directory, record=record, config=config)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exporter:
    """Writes the files of one export.

    Attributes:
        run: The run directory.
        manifest: Its manifest.
        config: Its config.
        dataset: Its data.
        growing: The directory that grows.
        progress: Told how far it is.
    """

    run: Path
    manifest: Manifest
    config: RunConfig
    dataset: Dataset
    growing: Path
    progress: Progress

    def write(self, *, onnx: bool, license_name: str | None) -> ExportRecord:
        """Write every file, measure what was written, and seal the record."""
        preprocessing = describe_preprocessing(self.config.data)
        self._write_model(preprocessing)
        _, recorded = load_predictions(self.run / PREDICTIONS)
        split = self.dataset.split(self.manifest["metrics"]["split"])
        loaded = load_exported(
            self.growing, self.config, self.manifest["outcome"]["weights_digest"]
        )
        _, agreement = measure_exported(
            loaded, split, recorded, self.config, self.growing, progress=self.progress
        )
        obey("the export")
        described = None
        if onnx:
            from cxr.release.onnx_agreement import measure_onnx
            from cxr.release.onnx_model import LIBRARIES, write_onnx

            described = write_onnx(self.growing, loaded)
            measured = measure_onnx(
                self.growing,
                loaded,
                self.dataset,
                split,
                vertical_pass_first=described["vertical_pass_first"],
                progress=self.progress,
            )
            described["agreement"] = measured.to_json()
            described["versions"] = {name: version(name) for name in LIBRARIES}
        facts = CardFacts(
            manifest=self.manifest,
            config=self.config,
            lock=self.dataset.lock,
            intervals=self._derive_intervals(recorded),
            timm=agreement.to_json(),
            onnx=described,
            preprocessing=preprocessing,
            license_name=license_name,
        )
        write_text(self.growing / layout.CARD, render_card(facts))
        return write_export_record(self.growing, self._describe(facts, split.name))

    def _write_model(self, preprocessing: Mapping[str, Any]) -> None:
        """Write what is known before anything is computed."""
        manifest, classes, growing = self.manifest, self.dataset.lock.classes, self.growing
        shutil.copyfile(self.run / RUN_WEIGHTS, growing / layout.WEIGHTS)
        shutil.copyfile(self.run / RUN_MANIFEST, growing / layout.MANIFEST)
        trace = manifest["trace"]
        each = self.config.train.asks_each_label
        contents = {
            layout.TIMM_CONFIG: describe_timm_config(self.config, classes),
            layout.LABELS: {
                "labels": list(classes),
                "decision": "logit of 0 or more, each by itself" if each else "largest logit",
            },
            layout.PREPROCESSING: preprocessing,
            layout.LEDGER_HEAD: {
                "schema": layout.LEDGER_HEAD_SCHEMA,
                "ledger_head": trace["ledger_head"],
                "steps": trace["steps"],
                "trace_digest": manifest["trace_digest"],
            },
        }
        for name, content in contents.items():
            write_bytes(growing / name, canonical_json(content) + b"\n")
        write_text(growing / layout.RECIPE, render_recipe(manifest))

    def _derive_intervals(self, recorded: list[Prediction]) -> dict[str, Any] | None:
        lock, config = self.dataset.lock, self.config
        groups = {sample.path: sample.group for sample in lock.samples}
        return derive_intervals(
            lock.classes, recorded, groups, seed=config.seed, determinism=config.determinism
        )

    def _describe(self, facts: CardFacts, split: str) -> dict[str, Any]:
        """Return what the record says besides its files."""
        config = self.config
        return {
            "run": {name: self.manifest[name] for name in _DIGESTS},
            "name": config.name,
            "architecture": config.model.name,
            "license": facts.license_name,
            "timm": {
                "agreement": facts.timm,
                "split": split,
                "determinism": str(config.determinism),
                "device": config.device,
                "threads": config.threads,
                "batch_size": config.evaluate.batch_size,
                "precision": config.train.precision,
            },
            "onnx": facts.onnx,
            "code_digest": digest_code(),
            "versions": {name: version(name) for name in _LIBRARIES},
        }


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


def _load_sound_run(run: Path) -> Manifest:
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
