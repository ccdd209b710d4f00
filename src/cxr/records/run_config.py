"""The config of a run that is there already, with its data set where it is now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from cxr.config.data_section import DataConfig
from cxr.config.fields import digest_config
from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.errors import DataError, RecordError
from cxr.records.exported import RECIPE, is_export, load_exported_recipe
from cxr.records.manifest import Manifest
from cxr.records.run_directory import CONFIG, DATA_LOCK


def load_recorded_config(run: Path, manifest: Manifest, *, root: Path | None = None) -> RunConfig:
    """Return the config that a run was trained with, once it is known to be that one.

    Args:
        run: The run directory.
        manifest: Its manifest.
        root: The data set's root here; by default the one that the run used.

    Raises:
        RecordError: The config is not the one of the manifest.
        ConfigError: It was edited beyond reading.
        DataError: There is no data set at this root.
    """
    config = load_run_config(run, root=root)
    _require_recorded(config, run / CONFIG, manifest)
    return config


def load_recorded_recipe(run: Path, manifest: Manifest) -> RunConfig:
    """Return the config that a run was trained with, wherever its data set may be now.

    Args:
        run: The run directory, or that of an export of the run.
        manifest: Its manifest.

    Raises:
        RecordError: The config is not the one of the manifest.
        ConfigError: It was edited beyond reading.
    """
    exported = is_export(run)
    config = load_exported_recipe(run) if exported else load_config(run / CONFIG)
    _require_recorded(config, run / (RECIPE if exported else CONFIG), manifest)
    return config


def _require_recorded(config: RunConfig, path: Path, manifest: Manifest) -> None:
    """Refuse a config that the manifest does not name.

    Raises:
        RecordError: Its digest is another one.
    """
    if digest_config(config) != manifest["recipe"]["config_digest"]:
        raise RecordError(
            "the config is not the one that the run was trained with",
            where=str(path),
            hint="it was edited; restore it",
        )


def load_run_config(run: Path, *, root: Path | None) -> RunConfig:
    """Return the config that a run was trained with.

    Args:
        run: The run directory.
        root: The data set's root here; by default the one that the run used.

    Raises:
        ConfigError: It was edited beyond reading.
        DataError: There is no data set at this root.
    """
    config = load_config(run / CONFIG)
    if root is not None:
        moved = derive_moved_fields(config.data, root)
        config = load_config(run / CONFIG, describe_overrides(moved))
    _require_data(config, is_moved=root is not None)
    return keep_recorded_splits(config, run / DATA_LOCK)


def _require_data(config: RunConfig, *, is_moved: bool) -> None:
    """Refuse a data set that is not where the config says."""
    data = config.data
    is_file = data.source == "npz"
    table = data.csv.file if data.source == "csv" else None
    for used, wants_file in ((data.root, is_file), (table, True)):
        if used is None or (Path(used).is_file() if wants_file else Path(used).is_dir()):
            continue
        raise DataError(
            "no such data set"
            if is_moved
            else "the run or its data set was moved: the data is not there",
            where=used,
            hint="say with --data which file it is"
            if is_file
            else "say with --data DIR which directory holds it",
        )


def derive_moved_fields(data: DataConfig, place: Path) -> dict[str, str]:
    """Return the config's fields that say where a data set is, once it lies elsewhere.

    A table that lay below the old root, or beside its images, moves with them.

    Args:
        data: The data section as it was.
        place: The data set's root here; of a table, or an npz file, the file itself will do.
    """
    here = place.resolve()
    table = data.csv.file
    if data.source != "csv" or table is None:
        return {"data.root": str(here)}
    if here.is_file():
        return {"data.root": str(here.parent), "data.csv.file": str(here)}
    moved = {"data.root": str(here)}
    old = Path(data.root or Path(table).parent)
    if Path(table).is_relative_to(old):
        moved["data.csv.file"] = str(here / Path(table).relative_to(old))
    return moved


def describe_overrides(fields: Mapping[str, str]) -> list[str]:
    """Return ``--set`` texts; quoted, since a path may hold what YAML reads as something else."""
    return [f"{name}={json.dumps(value)}" for name, value in fields.items()]


def keep_recorded_splits(config: RunConfig, lock: Path | None) -> RunConfig:
    """Return the config of a run with the run's own lock in the place of another.

    So the groups that it was trained on stay those, whatever became of the lock that its config
    names, and whatever rule divides groups now. A set with splits of its own needs none.

    Args:
        config: The config of a recorded run.
        lock: The run's ``data.lock.json``; None if it has none here.
    """
    divided = config.data.validation_fraction or config.data.test_fraction
    kept = str(lock.resolve()) if divided and lock is not None and lock.is_file() else None
    return config.model_copy(update={"data": config.data.model_copy(update={"lock": kept})})
