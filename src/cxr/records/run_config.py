"""The config of a run that is there already, with its data set where it is now."""

from __future__ import annotations

import json
from pathlib import Path

from cxr.config.fields import digest_config
from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.errors import DataError, RecordError
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
    if digest_config(config) != manifest["recipe"]["config_digest"]:
        raise RecordError(
            "the config is not the one that the run was trained with",
            where=str(run / CONFIG),
            hint="it was edited; restore it",
        )
    return config


def load_run_config(run: Path, *, root: Path | None) -> RunConfig:
    """Return the config that a run was trained with.

    Args:
        run: The run directory.
        root: The data set's root here; by default the one that the run used.

    Raises:
        ConfigError: It was edited beyond reading.
        DataError: There is no data set at this root.
    """
    # Quoted: a path may hold what YAML reads as something else.
    overrides = [] if root is None else [f"data.root={json.dumps(str(root.resolve()))}"]
    config = load_config(run / CONFIG, overrides)
    used = config.data.root
    if used is not None and not Path(used).is_dir():
        raise DataError(
            "the run or its data set was moved: the data is not there"
            if root is None
            else "no such data set",
            where=used,
            hint="say with --data DIR which directory holds train, val and test",
        )
    return keep_recorded_splits(config, run / DATA_LOCK)


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
