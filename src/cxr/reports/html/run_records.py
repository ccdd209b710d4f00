"""A run as a report sees it: everything that its records tell, read and checked in one place.

What stands here has the types that it says. A record is untrusted, also one whose digests agree:
whoever wrote it may have written anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr.compare.verify_findings import Verification
from cxr.compare.verify_run import verify_run
from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.evaluation.looks import list_looks
from cxr.json_file import load_json_object
from cxr.label_text import parse_labels
from cxr.records.data_lock import DataLock, load_data_lock
from cxr.records.manifest import Manifest, load_sealed_run
from cxr.records.predictions import Prediction, load_predictions
from cxr.records.run_directory import (
    CONFIG,
    DATA_LOCK,
    ENVIRONMENT,
    MANIFEST,
    PREDICTIONS,
    VALIDATION_PREDICTIONS,
)
from cxr.reports.html.recorded_values import (
    Course,
    Epoch,
    Subgroup,
    load_epochs,
    read_course,
    read_subgroups,
    readable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecords:
    """Everything that the records of one run tell.

    Attributes:
        name: Of its config.
        manifest: Sealed, with the fields that every reader relies on; other parts may be anything.
        config: What it was trained with.
        level: The promise.
        lock: Its samples.
        environment: Facts of the machine and its libraries, by group; of any shape.
        course: How it went.
        epochs: In order.
        split: The split that it was evaluated on.
        predictions: Of that split; empty unless it completed.
        validation: Of the validation split under the chosen weights; None where they are not kept.
        subgroups: By name, what the manifest tells of them.
        num_looks: Records of predictions of the split, the run's own among them.
        verification: The records held against the manifest; None where the run never ended.
    """

    name: str
    manifest: Manifest
    config: RunConfig
    level: Level
    lock: DataLock
    environment: Mapping[str, Any]
    course: Course
    epochs: Sequence[Epoch]
    split: str
    predictions: Sequence[Prediction]
    validation: Sequence[Prediction] | None
    subgroups: Mapping[str, Subgroup]
    num_looks: int
    verification: Verification | None

    @property
    def asks_each_label(self) -> bool:
        """Whether each label is decided by itself."""
        return any(row.asks_each_label for row in self.predictions)


def load_run_records(run: Path) -> RunRecords:
    """Read and check everything that a run's records tell.

    Args:
        run: The run directory.

    Raises:
        RecordError: It is no run's, was edited, or a part of it is damaged.
        ConfigError: Its config was edited beyond reading.
    """
    manifest = load_sealed_run(run)
    config = load_config(run / CONFIG)
    lock = _load_lock(run / DATA_LOCK)
    completed = manifest["status"] == "completed"
    with readable(run / MANIFEST):
        level = Level(manifest["recipe"]["determinism"])
        course = read_course(manifest)
        split = str(manifest["metrics"]["split"]) if completed else config.evaluate.split
        subgroups = read_subgroups(manifest["metrics"].get("subgroups", {})) if completed else {}
        num_looks = len(list_looks(run, split)) if completed else 0
    has_validation = VALIDATION_PREDICTIONS in manifest.get("files", {})
    return RunRecords(
        name=str(manifest.get("name")),
        manifest=manifest,
        config=config,
        level=level,
        lock=lock,
        environment=load_json_object(run / ENVIRONMENT),
        course=course,
        epochs=load_epochs(run),
        split=split,
        predictions=_load_predictions(run / PREDICTIONS, lock) if completed else (),
        validation=_load_predictions(run / VALIDATION_PREDICTIONS, lock)
        if completed and has_validation
        else None,
        subgroups=subgroups,
        num_looks=num_looks,
        verification=None if manifest["status"] == "running" else verify_run(run),
    )


def _load_lock(path: Path) -> DataLock:
    lock = load_data_lock(path)
    with readable(path):
        for split in {sample.split for sample in lock.samples}:
            lock.count_answers(split)
    return lock


def _load_predictions(path: Path, lock: DataLock) -> list[Prediction]:
    classes, rows = load_predictions(path)
    with readable(path):
        if classes != lock.classes:
            raise ValueError("its classes are not those of the data lock")
        groups = {sample.path for sample in lock.samples}
        for row in rows:
            _require_sound(row, classes, groups)
    return rows


def _require_sound(row: Prediction, classes: Sequence[str], paths: set[str]) -> None:
    """Refuse a prediction of another image or of other classes than the lock's.

    Raises:
        ValueError: Saying why.
    """
    if row.path not in paths:
        raise ValueError(f"{row.path!r} is no sample of the data lock")
    for text in (row.label, row.decision):
        if row.asks_each_label:
            parse_labels(classes, text)
        elif text not in classes:
            raise ValueError(f"{text!r} is no class")
