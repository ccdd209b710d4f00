"""Figures to hold an evaluation against: a golden of ``cxr``'s own, or a published table.

A golden is what ``cxr evaluate --json`` or ``cxr train --json`` printed. A table is YAML of the
schema ``cxr.benchmarks/1``: by name of a config its split, and of each figure the value and the
tolerance that it was published with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.config.strict_yaml import load_document
from cxr.errors import RecordError, UsageError
from cxr.json_file import load_json_object
from cxr.records.figures import flatten_figures, list_figures

TABLE_SCHEMA: Final = "cxr.benchmarks/1"

_YAML: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What figures should be.

    Attributes:
        split: The split that they are of.
        figures: By name; None: undefined.
        tolerances: Largest absolute difference that is allowed; by the name of each figure that is
            to be held against.
    """

    split: str
    figures: dict[str, float | None]
    tolerances: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFigure:
    """One figure beside what it should be.

    Attributes:
        name: As in `cxr.records.figures.flatten_figures`.
        expected: What it should be; None: undefined.
        found: What it is; None: undefined.
        tolerance: Largest absolute difference that is allowed.
        is_within: Whether it is; an undefined figure is within where it should be undefined.
    """

    name: str
    expected: float | None
    found: float | None
    tolerance: float
    is_within: bool


def load_reference(path: Path, config_name: str, asked: Mapping[str, float]) -> Reference:
    """Read what an evaluation is to be held against.

    Args:
        path: A golden, or a published table where the name ends in ``.yaml``.
        config_name: The name of the run's config, to find it in a table.
        asked: Tolerances by figure. Of a golden these figures are compared; without any, all of
            them, and exactly. Of a table all are, these with this tolerance.

    Raises:
        RecordError: The file cannot be read, is neither, or has nothing of this config.
        UsageError: A tolerance names a figure that the file has not.
    """
    if path.suffix in _YAML:
        found = _read_table(path, config_name)
        chosen = found.tolerances | dict(asked)
    else:
        found = _read_golden(path)
        chosen = dict(asked) or found.tolerances
    for name in asked:
        if name not in found.figures:
            raise UsageError(
                f"the file has no figure {name!r}",
                where=f"--tolerance, {path}",
                hint=f"it has {', '.join(found.figures)}",
            )
    return Reference(split=found.split, figures=found.figures, tolerances=chosen)


def hold_against(metrics: Mapping[str, Any], reference: Reference) -> list[HeldFigure]:
    """Compare figures with what they should be, in the reference's order.

    Args:
        metrics: As manifests hold them.
        reference: What they should be.

    Raises:
        RecordError: They are of another split, or have not a figure that is to be compared.
    """
    if metrics["split"] != reference.split:
        raise RecordError(
            f"the figures are of the split {reference.split}, not {metrics['split']}",
            where="--against",
            hint=f"evaluate it with --split {reference.split}",
        )
    flat = flatten_figures(metrics)
    held: list[HeldFigure] = []
    for name, tolerance in reference.tolerances.items():
        if name not in flat:
            raise RecordError(
                f"the run has no figure {name!r} to hold against",
                where="--against",
                hint=f"it has {', '.join(flat)}",
            )
        expected, found = reference.figures[name], flat[name]
        if expected is None or found is None:
            is_within = expected is found
        else:
            is_within = abs(found - expected) <= tolerance
        held.append(
            HeldFigure(
                name=name,
                expected=expected,
                found=found,
                tolerance=tolerance,
                is_within=is_within,
            )
        )
    return held


def _read_golden(path: Path) -> Reference:
    metrics = load_json_object(path).get("metrics")
    # A manifest has them in the same place.
    if not isinstance(metrics, dict) or not isinstance(metrics.get("split"), str):
        raise _refuse(path, "it holds no figures of a split")
    flat = dict(list_figures(metrics))
    if not flat or not all(value is None or _is_number(value) for value in flat.values()):
        raise _refuse(path, "its figures are no numbers")
    return Reference(split=metrics["split"], figures=flat, tolerances=dict.fromkeys(flat, 0.0))


def _read_table(path: Path, config_name: str) -> Reference:
    try:
        document = load_document(path)
    except OSError as error:
        raise _refuse(path, f"it cannot be read: {error.strerror or error}") from error
    if document.problems:
        raise _refuse(path, str(document.problems[0]))
    table = document.data.get("configs")
    if document.data.get("schema") != TABLE_SCHEMA or not isinstance(table, dict):
        raise _refuse(path, f"it is no table of the schema {TABLE_SCHEMA}")
    entry = table.get(config_name)
    if entry is None:
        raise RecordError(
            f"the table has no figures of the config {config_name!r}",
            where=str(path),
            hint=f"it has {', '.join(table) or 'none'}",
        )
    if not isinstance(entry, dict) or not isinstance(entry.get("figures"), dict):
        raise _refuse(path, f"configs.{config_name} has no figures")
    if not isinstance(entry.get("split"), str):
        raise _refuse(path, f"configs.{config_name} does not say which split")
    figures: dict[str, float | None] = {}
    tolerances: dict[str, float] = {}
    for name, held in entry["figures"].items():
        if not (isinstance(held, dict) and held.keys() == {"value", "tolerance"}):
            raise _refuse(path, f"configs.{config_name}.figures.{name} needs value and tolerance")
        if not all(map(_is_number, held.values())) or held["tolerance"] < 0:
            raise _refuse(path, f"configs.{config_name}.figures.{name} is no number, or below 0")
        figures[name], tolerances[name] = float(held["value"]), float(held["tolerance"])
    return Reference(split=entry["split"], figures=figures, tolerances=tolerances)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _refuse(path: Path, problem: str) -> RecordError:
    return RecordError(
        f"nothing can be held against the file: {problem}",
        where=str(path),
        hint="name what cxr evaluate --json printed, or a table such as docs/benchmarks.yaml",
    )
