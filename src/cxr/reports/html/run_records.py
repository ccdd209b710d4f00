"""A run as a report sees it: everything that its records tell, read and checked in one place.

What stands here has the types that it says. A record is untrusted, also one whose digests agree:
whoever wrote it may have written anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.compare.verify_findings import Verification
from cxr.compare.verify_run import verify_run
from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.errors import RecordError
from cxr.evaluation.looks import list_looks
from cxr.json_file import load_json_object
from cxr.label_text import parse_labels
from cxr.records.data_lock import DataLock, load_data_lock
from cxr.records.epoch_figures import read_epoch_lines
from cxr.records.figures import SCALARS
from cxr.records.manifest import Manifest, load_sealed_run
from cxr.records.predictions import Prediction, load_predictions
from cxr.records.run_directory import (
    CONFIG,
    DATA_LOCK,
    ENVIRONMENT,
    MANIFEST,
    METRICS,
    PREDICTIONS,
    VALIDATION_PREDICTIONS,
)

_LARGEST_FLOAT32: Final = 3.4028234663852886e38
_LARGEST_FIGURE: Final = 1e100


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Figures of one epoch.

    Attributes:
        number: Zero-based.
        train_loss: Mean loss of its steps, in nats.
        validation: By name of a figure; empty without a validation split.
    """

    number: int
    train_loss: float
    validation: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a run went, beside its figures.

    Attributes:
        status: ``completed``, ``failed``, ``interrupted`` or ``running``.
        failure: What was wrong, and where; empty unless it failed.
        num_steps: Steps that the ledger holds; None where the run never ended.
        weights_epoch: The epoch whose weights were chosen, zero-based.
        started: In ISO 8601, UTC.
        duration_s: None where the run never ended.
        num_interruptions: How often it was stopped and went on.
        ops_without_kernel: Ops that have no deterministic kernel.
        controls_untaken: Switches that did not take.
    """

    status: str
    failure: Sequence[str]
    num_steps: int | None
    weights_epoch: int | None
    started: str
    duration_s: float | None
    num_interruptions: int
    ops_without_kernel: Sequence[str]
    controls_untaken: Sequence[str]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupRow:
    """Figures of the images that share a value.

    Attributes:
        value: Empty for images without one.
        num_patients: Of them.
        num_images: Of them.
        figures: By name.
    """

    value: str
    num_patients: int
    num_images: int
    figures: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """A table of figures by the values of one column.

    Attributes:
        min_patients: Fewest patients of which figures are told.
        hidden_values: How many values are not told.
        rows: In the record's order.
    """

    min_patients: int
    hidden_values: int
    rows: Sequence[SubgroupRow]


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
    with _readable(run / MANIFEST):
        level = Level(manifest["recipe"]["determinism"])
        course = _read_course(manifest)
        split = str(manifest["metrics"]["split"]) if completed else config.evaluate.split
        subgroups = _read_subgroups(manifest["metrics"].get("subgroups", {})) if completed else {}
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
        epochs=_load_epochs(run),
        split=split,
        predictions=_load_predictions(run / PREDICTIONS, lock) if completed else (),
        validation=_load_predictions(run / VALIDATION_PREDICTIONS, lock)
        if completed and has_validation
        else None,
        subgroups=subgroups,
        num_looks=num_looks,
        verification=None if manifest["status"] == "running" else verify_run(run),
    )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what a value of the wrong kind leads to into an error that names the record."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RecordError(
            f"the record holds what no run writes: {error!r}",
            where=str(path),
            hint="it was edited; restore it; cxr verify says more",
        ) from error


def _load_lock(path: Path) -> DataLock:
    lock = load_data_lock(path)
    with _readable(path):
        for split in {sample.split for sample in lock.samples}:
            lock.count_answers(split)
    return lock


def _read_course(manifest: Manifest) -> Course:
    failure = manifest.get("failure", {})
    volatile = manifest["volatile"]
    duration = volatile.get("duration_s")
    selection = manifest.get("selection", {}).get("weights_epoch")
    steps = manifest.get("trace", {}).get("steps")
    return Course(
        status=manifest["status"],
        failure=tuple(str(failure[key]) for key in ("problem", "at") if key in failure),
        num_steps=None if steps is None else int(steps),
        weights_epoch=None if selection is None else int(selection),
        started=str(volatile["started"]),
        duration_s=_read_figure(duration),
        num_interruptions=len(volatile.get("interruptions", [])),
        ops_without_kernel=tuple(
            sorted(map(str, manifest.get("ops_without_deterministic_kernel", {})))
        ),
        controls_untaken=tuple(map(str, manifest.get("controls_untaken", []))),
    )


def _read_subgroups(found: Mapping[str, Any]) -> dict[str, Subgroup]:
    return {
        str(name): Subgroup(
            min_patients=int(table["min_patients"]),
            hidden_values=int(table["hidden_values"]),
            rows=tuple(
                SubgroupRow(
                    value="" if row["value"] is None else str(row["value"]),
                    num_patients=int(row["patients"]),
                    num_images=int(row["num_images"]),
                    figures={key: _read_figure(row.get(key)) for key in _ROW_FIGURES},
                )
                for row in table["rows"]
            ),
        )
        for name, table in found.items()
    }


_ROW_FIGURES: Final = ("accuracy", "balanced_accuracy", "auroc", "average_precision", "brier_score")


def _load_epochs(run: Path) -> list[Epoch]:
    epochs: list[Epoch] = []
    for number, line in read_epoch_lines(run):
        with _readable(run / METRICS):
            content = json.loads(line)
            figures = content.get("val") or {}
            loss = _read_figure(content["train_loss"])
            if loss is None:
                raise TypeError("train_loss is no number")
            found = {name: _read_figure(figures[name]) for name in SCALARS if name in figures}
            if number != len(epochs):
                raise ValueError(f"epoch {number} in line {len(epochs) + 1}")
            epochs.append(Epoch(number=number, train_loss=loss, validation=found))
    return epochs


def _read_figure(value: Any) -> float | None:
    """Return a number that can be drawn, or None where a figure is undefined."""
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # A comparison with what is not a number is false.
    if not is_number or not abs(value) <= _LARGEST_FIGURE:
        raise TypeError(f"{value!r} is no figure")
    return float(value)


def _load_predictions(path: Path, lock: DataLock) -> list[Prediction]:
    classes, rows = load_predictions(path)
    with _readable(path):
        if classes != lock.classes:
            raise ValueError("its classes are not those of the data lock")
        groups = {sample.path for sample in lock.samples}
        for row in rows:
            _require_sound(row, classes, groups)
    return rows


def _require_sound(row: Prediction, classes: Sequence[str], paths: set[str]) -> None:
    """Refuse a prediction that no model makes.

    Raises:
        ValueError: Saying why.
    """
    if row.path not in paths:
        raise ValueError(f"{row.path!r} is no sample of the data lock")
    if not all(0 <= probability <= 1 for probability in row.probabilities):
        raise ValueError(f"a probability of {row.path!r} is none")
    # A comparison with what is not a number is false.
    if not all(abs(float(logit)) <= _LARGEST_FLOAT32 for logit in row.logits):
        raise ValueError(f"a logit of {row.path!r} is none")
    for text in (row.label, row.decision):
        if row.asks_each_label:
            parse_labels(classes, text)
        elif text not in classes:
            raise ValueError(f"{text!r} is no class")
