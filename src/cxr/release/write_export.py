"""Writing the files of one export, and measuring what was written."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from cxr.atomic import write_bytes, write_text
from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset, Split
from cxr.digests.canonical import canonical_json
from cxr.environment.code import digest_code
from cxr.evaluation.intervals import derive_intervals
from cxr.interruption import obey
from cxr.progress import Progress
from cxr.records import exported, run_directory
from cxr.records.manifest import Manifest
from cxr.records.predictions import Prediction, load_predictions
from cxr.release import layout
from cxr.release.card import CardFacts, render_card
from cxr.release.export_record import RUN_DIGESTS, ExportRecord, write_export_record
from cxr.release.exported_network import Loaded, load_exported, measure_exported
from cxr.release.preprocessing import describe_preprocessing
from cxr.release.recipe_file import render_recipe
from cxr.release.timm_config import describe_timm_config

_LIBRARIES: Final = ("cxr", "torch", "timm", "safetensors", "numpy", "pillow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
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

    def write(
        self, *, onnx: bool, license_name: str | None, changed_code: str | None = None
    ) -> ExportRecord:
        """Write every file, measure what was written, and seal the record.

        Args:
            onnx: Whether ``model.onnx`` is written as well.
            license_name: Identifier of the licence that the card names, or None.
            changed_code: What the card says was changed in the code since its commit, or None.

        Raises:
            WeightsError: What was written is another model than the run's.
            StorageError: It cannot be written.
        """
        preprocessing = describe_preprocessing(self.config.data)
        self._write_model(preprocessing)
        split = self.dataset.split(self.manifest["metrics"]["split"])
        by_path = {
            row.path: row for row in load_predictions(self.run / run_directory.PREDICTIONS)[1]
        }
        recorded = [by_path[path] for path in split.paths]
        weights_digest = self.manifest["outcome"]["weights_digest"]
        loaded = load_exported(self.growing, self.config, weights_digest)
        agreement = measure_exported(
            loaded, split, recorded, self.config, self.growing, progress=self.progress
        )
        obey("the export")
        facts = CardFacts(
            manifest=self.manifest,
            config=self.config,
            lock=self.dataset.lock,
            intervals=self._derive_intervals(recorded),
            timm=agreement.to_json(),
            onnx=self._write_onnx(loaded, split) if onnx else None,
            preprocessing=preprocessing,
            license_name=license_name,
            changed_code=changed_code,
        )
        write_text(self.growing / layout.CARD, render_card(facts))
        return write_export_record(self.growing, self._describe(facts, split.name))

    def _write_model(self, preprocessing: Mapping[str, Any]) -> None:
        """Write what is known before anything is computed."""
        manifest, classes, growing = self.manifest, self.dataset.lock.classes, self.growing
        shutil.copyfile(self.run / run_directory.WEIGHTS, growing / layout.WEIGHTS)
        shutil.copyfile(self.run / run_directory.MANIFEST, growing / layout.MANIFEST)
        each = self.config.train.asks_each_label
        contents = {
            layout.TIMM_CONFIG: describe_timm_config(self.config, classes),
            exported.LABELS: {
                "labels": list(classes),
                "decision": "logit of 0 or more, each by itself" if each else "largest logit",
            },
            layout.PREPROCESSING: preprocessing,
            layout.LEDGER_HEAD: layout.describe_ledger_head(manifest),
        }
        for name, content in contents.items():
            write_bytes(growing / name, canonical_json(content) + b"\n")
        write_text(growing / exported.RECIPE, render_recipe(manifest))

    def _write_onnx(self, loaded: Loaded, split: Split) -> dict[str, Any]:
        """Write ``model.onnx`` and return what the record says of it, measurement included."""
        # Imported only where it is asked for: it is an optional extra.
        from cxr.release.onnx_agreement import measure_onnx
        from cxr.release.onnx_model import LIBRARIES, write_onnx

        described = write_onnx(self.growing, loaded)
        obey("the export")
        measured = measure_onnx(
            self.growing,
            loaded,
            self.dataset,
            split,
            vertical_pass_first=described["vertical_pass_first"],
            progress=self.progress,
        )
        versions = {name: version(name) for name in LIBRARIES}
        return {**described, "agreement": measured.to_json(), "versions": versions}

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
            "run": {name: self.manifest[name] for name in RUN_DIGESTS},
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
