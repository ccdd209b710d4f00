"""Checking intervals and tables of subgroups: both are computed once more, from records alone.

Who the patients are stands in the run's lock, and what an image is in a subgroup's pattern follows
from its path. What an image is in a column stands in no record: such a table is named as not
checked, and so is what needs a library that is missing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from cxr.compare.verify_figures import (
    find_home,
    has_later_figures,
    is_same_figure,
    read_level,
)
from cxr.compare.verify_findings import Finding, take
from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.data.subgroup_values import derive_pattern_values
from cxr.determinism.levels import Level
from cxr.errors import IMPORT_FAULTS, ConfigError, DataError, RecordError
from cxr.evaluation.intervals import derive_intervals
from cxr.evaluation.subgroups import describe_subgroups
from cxr.records.data_lock import load_data_lock
from cxr.records.manifest import EVALUATION_SCHEMA, Manifest, load_manifest
from cxr.records.predictions import Prediction, load_predictions
from cxr.records.run_directory import CONFIG, DATA_LOCK, MANIFEST, PREDICTIONS
from cxr.statistics.intervals import CONFIDENCE

MOST_REPLICATES: Final = 1_000_000
"""As many as ``cxr evaluate`` draws at most: an edited record must not keep a machine busy."""

_SHOWN: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """What an evaluation rests on besides its predictions: records of the run.

    Attributes:
        config: The run's recipe.
        groups: The patient of each image, by its path.
    """

    config: RunConfig
    groups: Mapping[str, str]


class _Given(NamedTuple):
    """What is computed from: class names in label order, predictions, and the level's functions."""

    classes: Sequence[str]
    predictions: Sequence[Prediction]
    level: Level


def check_resampled(directory: Path, manifest: Manifest, level: Any) -> Iterator[Finding]:
    """Compute intervals and tables of subgroups again.

    Args:
        directory: Of a run or of an evaluation, whose predictions are those of its manifest.
        manifest: Its manifest.
        level: What it says of its level.
    """
    metrics = take(manifest, "metrics")
    home = find_home(directory, manifest)
    config = _load_config(home) if home is not None else None
    # Where there are no figures at all, `check_figures` says so.
    is_declared = config is not None and bool(metrics and config.evaluate.subgroups)
    said = {"intervals": manifest.get("intervals"), "metrics.subgroups": metrics.get("subgroups")}
    if said["metrics.subgroups"] is None and is_declared:
        yield Finding(MANIFEST, f"metrics.subgroups are missing, though {CONFIG} names them")
    yield from _miss_intervals(manifest, metrics)
    said = {name: part for name, part in said.items() if part is not None}
    if not said:
        return
    if home is None or config is None or (found := _load_inputs(home, config)) is None:
        for name in said:
            yield _leave_open(name, "the records of the run are not here, or were changed")
        return
    try:
        given = _Given(*load_predictions(directory / PREDICTIONS), read_level(level))
        if "intervals" in said:
            yield from _check_intervals(said["intervals"], given, found)
        if "metrics.subgroups" in said:
            yield from _check_subgroups(said["metrics.subgroups"], given, found)
    except RecordError as error:
        yield Finding(PREDICTIONS, error.problem)
    except KeyError as error:
        name = str(error.args[0])[:_SHOWN]
        yield Finding(PREDICTIONS, f"names what is no class and no image of the run: {name}")


def _miss_intervals(manifest: Manifest, metrics: Mapping[str, Any]) -> Iterator[Finding]:
    """Say of an evaluation without intervals whether they were taken out, where that can be said.

    Since there are intervals the field is always written, as null where none were asked for.
    Version 0.1.0 had none, and its evaluations have nothing to leave open.
    """
    is_completed = manifest.get("status") == "completed"
    if manifest.get("schema") != EVALUATION_SCHEMA or not is_completed:
        return
    if "intervals" not in manifest:
        if has_later_figures(metrics):
            problem = "intervals are missing, which this version of cxr always writes"
            yield Finding(MANIFEST, problem)
    elif manifest["intervals"] is None:
        why = "there are none; whether any were asked for stands in no record"
        yield _leave_open("intervals", why)


def _load_config(home: Path) -> RunConfig | None:
    """Return a run's recipe; None where it cannot be read."""
    try:
        return load_config(home / CONFIG)
    except ConfigError:
        return None


def _load_inputs(home: Path, config: RunConfig) -> _Inputs | None:
    """Return what the run's records say; None where they are missing, or do not fit together."""
    try:
        recipe, lock = take(load_manifest(home), "recipe"), load_data_lock(home / DATA_LOCK)
    except RecordError:
        return None
    is_same = lock.digest == recipe.get("data_digest") and config.seed == recipe.get("seed")
    groups = {sample.path: sample.group for sample in lock.samples}
    return _Inputs(config=config, groups=groups) if is_same else None


def _check_intervals(intervals: Any, given: _Given, inputs: _Inputs) -> Iterator[Finding]:
    if not _can_resample():
        yield _leave_open("intervals", "NumPy or SciPy cannot be loaded here")
        return
    replicates = intervals.get("replicates") if isinstance(intervals, dict) else None
    if not isinstance(replicates, int) or not 1 <= replicates <= MOST_REPLICATES:
        yield Finding(MANIFEST, "intervals are not of a form that cxr writes")
        return
    again = derive_intervals(
        given.classes,
        given.predictions,
        inputs.groups,
        seed=inputs.config.seed,
        replicates=replicates,
        level=CONFIDENCE,
        determinism=given.level,
    )
    for name in sorted(_list_differing("intervals", intervals, again)):
        yield Finding(MANIFEST, f"{name} is not what the predictions give")


def _check_subgroups(tables: Any, given: _Given, inputs: _Inputs) -> Iterator[Finding]:
    rules = inputs.config.evaluate.subgroups
    if not isinstance(tables, dict) or tables.keys() != rules.keys():
        yield Finding(MANIFEST, f"metrics.subgroups are not those of {CONFIG}")
        return
    has_real_paths = inputs.config.data.pseudonym_key is None
    patterns = {name: rule for name, rule in rules.items() if "pattern" in rule and has_real_paths}
    for name in sorted(rules.keys() - patterns.keys()):
        why = "what an image is in it stands in no record"
        yield _leave_open(f"metrics.subgroups.{name}", why)
    if not patterns:
        return
    try:
        values = derive_pattern_values(patterns, [row.path for row in given.predictions])
    except DataError as error:
        yield Finding(MANIFEST, f"metrics.subgroups: {error.problem}")
        return
    again = describe_subgroups(
        given.classes, given.predictions, values, inputs.groups, level=given.level
    )
    for name, table in again.items():
        if not is_same_figure(tables[name], table):
            problem = f"metrics.subgroups.{name} is not what the predictions give"
            yield Finding(MANIFEST, problem)


def _can_resample() -> bool:
    """Say whether the libraries that intervals need can be loaded."""
    try:
        from cxr.statistics import bootstrap  # noqa: F401 - whether it loads is what is asked
        from cxr.statistics.quantiles import normal_probability

        normal_probability(0.0)
    except IMPORT_FAULTS:
        return False
    return True


def _list_differing(name: str, said: Any, again: Any) -> Iterator[str]:
    """Yield the dotted names of what differs, down to single intervals."""
    if isinstance(said, Mapping) and isinstance(again, Mapping) and "low" not in again:
        for part in {**said, **again}:
            yield from _list_differing(f"{name}.{part}", said.get(part, ...), again.get(part, ...))
    elif not is_same_figure(said, again):
        yield name


def _leave_open(name: str, why: str) -> Finding:
    return Finding(MANIFEST, f"{name}: {why}", is_open=True)
