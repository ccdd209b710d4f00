"""Values of a run's records that may be anything, read as what they must be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cxr.errors import RecordError
from cxr.records.epoch_figures import read_epoch_lines
from cxr.records.figures import SCALARS
from cxr.records.manifest import Manifest
from cxr.records.run_directory import METRICS

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
        duration_s: From start to end, with the time that it lay still; None where the run never
            ended.
        still_s: How long it lay still between a stop and its going on; None where it was killed,
            or the record is of a version that did not write when it was stopped.
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
    still_s: float | None
    num_interruptions: int
    ops_without_kernel: Sequence[str]
    controls_untaken: Sequence[str]


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


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what a value of the wrong kind leads to into an error that names the record."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RecordError(
            f"the record holds what no run writes: {error!r}",
            where=str(path),
            hint="it was edited; restore it; cxr verify says more",
        ) from error


def read_course(manifest: Manifest) -> Course:
    """Return how a run went; what is no manifest of a run raises what `readable` turns around."""
    failure = manifest.get("failure", {})
    volatile = manifest["volatile"]
    duration = volatile.get("duration_s")
    stops = volatile.get("interruptions", [])
    selection = manifest.get("selection", {}).get("weights_epoch")
    steps = manifest.get("trace", {}).get("steps")
    return Course(
        status=manifest["status"],
        failure=tuple(str(failure[key]) for key in ("problem", "at") if key in failure),
        num_steps=None if steps is None else int(steps),
        weights_epoch=None if selection is None else int(selection),
        started=str(volatile["started"]),
        duration_s=_read_figure(duration),
        still_s=_measure_still(stops),
        num_interruptions=len(stops),
        ops_without_kernel=tuple(
            sorted(map(str, manifest.get("ops_without_deterministic_kernel", {})))
        ),
        controls_untaken=tuple(map(str, manifest.get("controls_untaken", []))),
    )


def _measure_still(stops: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the seconds between stops and what followed each; None where one stop has no time."""
    spans: list[timedelta] = []
    for stop in stops:
        if stop.get("stopped") is None:
            return None
        stopped, resumed = (datetime.fromisoformat(stop[one]) for one in ("stopped", "resumed"))
        spans.append(resumed - stopped)
    # A clock may have been set back.
    return max(sum(span.total_seconds() for span in spans), 0.0)


def read_subgroups(found: Mapping[str, Any]) -> dict[str, Subgroup]:
    """Return the tables of subgroups, likewise."""
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


def load_epochs(run: Path) -> list[Epoch]:
    """Return the figures of every epoch.

    Raises:
        RecordError: They are not those of epochs in their order.
    """
    epochs: list[Epoch] = []
    for number, line in read_epoch_lines(run):
        with readable(run / METRICS):
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
