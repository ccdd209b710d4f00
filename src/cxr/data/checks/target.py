"""What can be looked at: a config, a directory, an npz or CSV file, or the lock of one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.config.data_section import DataConfig
from cxr.config.load import load_config
from cxr.data.sources.directory import DirectorySource
from cxr.data.sources.open import open_source
from cxr.data.sources.source import Source
from cxr.data.sources.table_files import TableFilesSource
from cxr.errors import DataError, UsageError
from cxr.records.set_lock import SUFFIX, load_lock

_CONFIG_SUFFIXES: Final = (".yaml", ".yml")
_RULES: Final = frozenset(
    {
        "source",
        "layout",
        "class_globs",
        "group_pattern",
        "validation_fraction",
        "test_fraction",
        "split_seed",
        "window",
        "csv",
    }
)
"""Fields that labels, groups, splits and pixels follow from; a lock keeps them."""
_LATER_CSV_RULES: Final = ("suffix", "label_separator", "ignored_labels", "repeats")
"""Rules of a table that older locks lack: kept where they say something."""
_NO_CHOICE: Final = 3
"""Channels where no config names them: nothing says that a colour becomes a grey."""
_FILES_ALONE: Final = "only the files were checked: name a config for labels, patients and splits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A set that was opened.

    Attributes:
        path: What the user named; for a lock, what it is the lock of.
        source: Where its images come from.
        config: The data section, or what stands for one where there is no config.
        rules: The rules as a lock keeps them; empty for a directory or a table by itself.
        lock: Where its lock lies, or would.
        note: What its user must know of what is not looked at; empty if there is nothing.
    """

    path: Path
    source: Source
    config: DataConfig
    rules: Mapping[str, Any]
    lock: Path
    note: str = ""


def open_target(path: Path, overrides: Sequence[str] = ()) -> Target:
    """Open what a user named.

    Args:
        path: What it was.
        overrides: Fields of a config to change, as ``KEY=VALUE``.

    Raises:
        ConfigError: The config cannot be used.
        DataError: There is nothing, or nothing that holds images.
        RecordError: A lock cannot be read.
        UsageError: The set has no files, a lock does not say what it is of, or there is no config
            to change a field of.
    """
    if overrides and path.suffix not in _CONFIG_SUFFIXES:
        raise UsageError(
            "--set changes a field of a config, and this is none",
            where=str(path),
            hint="name a config (.yaml), or leave out --set",
        )
    if path.name.endswith(SUFFIX):
        return _open_locked(path)
    if path.suffix in _CONFIG_SUFFIXES:
        config = load_config(path, overrides).data
        if config.source == "synthetic":
            raise UsageError(
                "the config's data is synthetic: there are no files to look at",
                where=str(path),
                hint="name a config whose data.source is another",
            )
        lock = Path(config.lock) if config.lock is not None else _beside(path, path.stem)
        return _open(path, config, lock)
    if path.is_dir():
        # "." and ".." have no name of their own.
        named = path if path.name not in ("", "..") else path.resolve()
        lock = _beside(named, named.name)
        config = DataConfig(source="folder", root=str(path), channels=_NO_CHOICE)
        source = DirectorySource(path)
        return Target(path=named, source=source, config=config, rules={}, lock=lock)
    if path.suffix == ".npz" and path.is_file():
        config = DataConfig(source="npz", root=str(path), channels=_NO_CHOICE)
        return _open(path, config, _beside(path, path.stem))
    if path.suffix == ".csv" and path.is_file():
        return Target(
            path=path,
            source=TableFilesSource(path),
            config=DataConfig(source="csv", root=str(path.parent), channels=_NO_CHOICE),
            rules={},
            lock=_beside(path, path.stem),
            note=_FILES_ALONE,
        )
    raise DataError(
        "no such data set" if not path.exists() else "not a directory and not a config",
        where=str(path),
        hint="name a directory of images, an npz or CSV file, a config (.yaml) or a lock",
    )


def _open(path: Path, config: DataConfig, lock: Path) -> Target:
    rules = derive_rules(config)
    return Target(path=path, source=open_source(config), config=config, rules=rules, lock=lock)


def _open_locked(lock: Path) -> Target:
    """Open the set beside a lock, by the name that the lock has of it.

    Raises:
        UsageError: The lock has none, or is a run's.
    """
    name = load_lock(lock).target
    if not name or name.endswith(SUFFIX):
        raise UsageError(
            "the lock does not say what it is the lock of",
            where=str(lock),
            hint="name the set, and the lock with --lock",
        )
    opened = open_target(lock.with_name(name))
    return Target(
        path=opened.path,
        source=opened.source,
        config=opened.config,
        rules=opened.rules,
        lock=lock,
        note=opened.note,
    )


def _beside(path: Path, name: str) -> Path:
    return path.parent / f"{name}{SUFFIX}"


def derive_rules(config: DataConfig) -> dict[str, Any]:
    """Return the rules of a data section as plain JSON, without a path of this machine."""
    tree: dict[str, Any] = json.loads(config.model_dump_json(include=set(_RULES)))
    tree["csv"].pop("file")
    for name in _LATER_CSV_RULES:
        if not tree["csv"][name]:
            del tree["csv"][name]
    if config.source != "csv":
        del tree["csv"]
    return tree
