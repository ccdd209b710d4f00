"""What a reproduction starts from: a run directory, a packed run, or a manifest alone."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.atomic import write_text
from cxr.config.fields import digest_config
from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.config.strict_yaml import dump_plain
from cxr.determinism.levels import Level
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.records.manifest import Manifest, load_manifest_file, load_sealed_run, require_sealed_run
from cxr.records.run_directory import CONFIG, LEDGER, MANIFEST
from cxr.reproduce.unpack import unpack_run

_UNKNOWN: Final = "not-in-the-manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A run that completed, as far as it is known here.

    Attributes:
        manifest: Its manifest, sealed.
        directory: Where its files are; None where the manifest is all there is.
        is_unpacked: Whether that is a place that a packed run was unpacked to.
    """

    manifest: Manifest
    directory: Path | None
    is_unpacked: bool = False

    @property
    def level(self) -> Level:
        """The promise that the run was made with."""
        return Level(self.manifest["recipe"]["determinism"])

    def find_file(self, name: str) -> Path | None:
        """Return a file of the run, once it is known to be as sealed; None where it is not here.

        Raises:
            RecordError: It was changed.
        """
        wanted = self.manifest["files"].get(name)
        if self.directory is None or wanted is None or not (self.directory / name).is_file():
            return None
        if digest_file(self.directory / name) != wanted:
            raise RecordError(
                "a file of the run was changed: its bytes have another digest",
                where=str(self.directory / name),
                hint="restore it; cxr verify says more",
            )
        return self.directory / name


def open_record(path: Path, *, place: Path) -> Record:
    """Read a run directory, a packed run or a manifest.

    Args:
        path: One of them.
        place: Directory to unpack a packed run into; made if it is needed.

    Raises:
        RecordError: It is none of them, was edited, or the run did not complete.
    """
    if path.is_dir():
        return Record(manifest=load_sealed_run(path, completed=True), directory=path)
    if path.is_file() and zipfile.is_zipfile(path):
        unpack_run(path, place)
        manifest = load_sealed_run(place, completed=True)
        return Record(manifest=manifest, directory=place, is_unpacked=True)
    manifest = load_manifest_file(path)
    require_sealed_run(manifest, path, completed=True)
    # A manifest that still stands in its run directory stands for it.
    whole = path.name == MANIFEST and (path.parent / LEDGER).is_file()
    return Record(manifest=manifest, directory=path.parent if whole else None)


def load_record_config(
    record: Record, *, place: Path, root: Path | None, weights: Path | None
) -> tuple[RunConfig, Path, list[str]]:
    """Return the config of a run, with its data set and weights where they are here.

    Args:
        record: The run.
        place: Directory for a config that is made from the manifest.
        root: The data set's root here; None: where it was.
        weights: The initial weights' file here; None: where it was.

    Returns:
        The config, a file that holds it, and the ``--set`` texts that go with that file.

    Raises:
        ConfigError: It cannot be read by this version, or a path is missing.
        RecordError: It is not the config of the manifest.
    """
    # Quoted: a path may hold what YAML reads as something else.
    overrides = [
        f"{field}={json.dumps(str(path.resolve()))}"
        for field, path in (("data.root", root), ("model.weights.path", weights))
        if path is not None
    ]
    # The place of the cache is this machine's; it never affects bits.
    overrides.append("data.cache_dir=null")
    file = record.find_file(CONFIG)
    if file is None:
        file = place / CONFIG
        write_text(file, dump_plain(_build_tree(record.manifest)))
    config = load_config(file, overrides)
    if digest_config(config) != record.manifest["recipe"]["config_digest"]:
        raise RecordError(
            "the config does not come out as the one that the run was trained with",
            where=str(file),
            hint="another version of cxr wrote it: install that one, or check out its commit",
        )
    return config, file, overrides


def _build_tree(manifest: Manifest) -> dict[str, Any]:
    """Return the config that a manifest repeats, as it stands in a file; its paths lead nowhere."""
    tree: dict[str, Any] = {}
    for name, value in {**manifest["config"]["rest"], **manifest["config"]["recipe"]}.items():
        holder = tree
        *sections, last = name.split(".")
        for section in sections:
            holder = holder.setdefault(section, {})
        holder[last] = value
    # A manifest holds no path. What is needed and not named is found missing, by its own check.
    if tree["data"].get("source") != "synthetic":
        tree["data"]["root"] = _UNKNOWN
    given = tree["model"].get("weights")
    if given is not None and given.get("source") == "file":
        given["path"] = f"{_UNKNOWN}.safetensors"
    return tree
