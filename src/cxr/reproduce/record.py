"""What a reproduction starts from: a run directory, a packed run, or a manifest alone."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.atomic import write_text
from cxr.bounded_file import open_regular
from cxr.config.fields import digest_config
from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.config.strict_yaml import dump_plain
from cxr.determinism.levels import Level
from cxr.digests.files import digest_file
from cxr.errors import RecordError, UsageError
from cxr.records.manifest import Manifest, load_manifest_file, load_sealed_run, require_sealed_run
from cxr.records.run_config import derive_moved_fields, describe_overrides
from cxr.records.run_directory import (
    CONFIG,
    DATA_LOCK,
    ENVIRONMENT,
    LEDGER,
    MANIFEST,
    PREDICTIONS,
    REPRODUCED_RUN,
    REPRODUCTION,
)
from cxr.reproduce.unpack import unpack_run

_COMPARED: Final = (ENVIRONMENT, DATA_LOCK, LEDGER, PREDICTIONS)
"""What a comparison of two runs reads."""

_ZIP_HEAD: Final = b"PK\x03\x04"
"""What an archive begins with. Source: PKWARE, APPNOTE.TXT, 4.3.7."""

_UNKNOWN: Final = "not-in-the-manifest"
_NO_KEY: Final = f"{_UNKNOWN}.key"


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
        """Return a file of the run, once it is known to be as sealed; None where it has none.

        Raises:
            RecordError: It was changed, or is missing from its directory.
        """
        wanted = self.manifest["files"].get(name)
        if self.directory is None or wanted is None:
            return None
        if not (self.directory / name).is_file():
            raise RecordError(
                "a file of the run is missing",
                where=str(self.directory / name),
                hint="restore it; cxr verify says more",
            )
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
        # Of a reproduction the run that it made.
        inner = path / REPRODUCED_RUN
        run = inner if (path / REPRODUCTION).is_file() and inner.is_dir() else path
        return _require_whole(Record(manifest=load_sealed_run(run, completed=True), directory=run))
    if path.is_file() and _is_archive(path):
        unpack_run(path, place)
        manifest = load_sealed_run(place, completed=True)
        return _require_whole(Record(manifest=manifest, directory=place, is_unpacked=True))
    manifest = load_manifest_file(path)
    require_sealed_run(manifest, path, completed=True)
    # A manifest that still stands in its run directory stands for it.
    if path.name == MANIFEST and (path.parent / LEDGER).is_file():
        return _require_whole(Record(manifest=manifest, directory=path.parent))
    return Record(manifest=manifest, directory=None)


def _is_archive(path: Path) -> bool:
    """Say whether a file is to be taken for an archive, be it one that was cut short."""
    if path.suffix == ".zip" or zipfile.is_zipfile(path):
        return True
    with open_regular(path) as stream:
        return stream.read(len(_ZIP_HEAD)) == _ZIP_HEAD


def _require_whole(record: Record) -> Record:
    """Refuse, before anything is trained, a record that could not be compared afterwards."""
    for name in _COMPARED:
        record.find_file(name)
    return record


def load_record_config(
    record: Record,
    *,
    place: Path,
    root: Path | None,
    weights: Path | None,
    key: Path | None = None,
) -> tuple[RunConfig, Path, list[str]]:
    """Return the config of a run, with its data set and weights where they are here.

    Args:
        record: The run.
        place: Directory for a config that is made from the manifest.
        root: The data set's root here; None: where it was.
        weights: The initial weights' file here; None: where it was.
        key: The key of the images' pseudonyms here; None: where it was.

    Returns:
        The config, a file that holds it, and the ``--set`` texts that go with that file.

    Raises:
        ConfigError: It cannot be read by this version.
        UsageError: Data, weights or a key are named that the run does not have.
        RecordError: It is not the config of the manifest.
    """
    recipe = record.manifest["recipe"]
    if weights is not None and recipe["weights_in"] is None:
        raise UsageError(
            "the run started from no given weights",
            where="--weights",
            hint="leave --weights out",
        )
    drawn = {**record.manifest["config"]["rest"], **record.manifest["config"]["recipe"]}
    if root is not None and drawn.get("data.source") == "synthetic":
        raise UsageError(
            "the run's data are drawn from its recipe: no directory holds them",
            where="--data",
            hint="leave --data out",
        )
    # A packed run has its config without the paths of whoever packed it.
    file = None if record.is_unpacked else record.find_file(CONFIG)
    if file is None:
        file = place / CONFIG
        write_text(file, dump_config_without_paths(record.manifest))
    places: dict[str, str] = {}
    if key is not None:
        if load_config(file).data.pseudonym_key is None:
            raise UsageError(
                "the run calls its images by their own names: no key belongs to it",
                where="--key",
                hint="leave --key out",
            )
        places["data.pseudonym_key"] = str(key.resolve())
    if root is not None:
        places |= derive_moved_fields(load_config(file).data, root)
    if weights is not None:
        places["model.weights.path"] = str(weights.resolve())
    # The place of the cache is this machine's; it never affects bits.
    overrides = [*describe_overrides(places), "data.cache_dir=null"]
    if "data.layout" in drawn:
        # Of a version that knows locks: groups stay in the splits that the record has them in.
        divided = drawn.get("data.validation_fraction") or drawn.get("data.test_fraction")
        lock = record.find_file(DATA_LOCK) if divided else None
        kept = (
            describe_overrides({"data.lock": str(lock.resolve())}) if lock else ["data.lock=null"]
        )
        overrides += kept
    config = load_config(file, overrides)
    if digest_config(config) != record.manifest["recipe"]["config_digest"]:
        raise RecordError(
            "the config does not come out as the one that the run was trained with",
            where=str(file),
            hint="another version of cxr wrote it: install that one, or check out its commit",
        )
    return config, file, overrides


def require_key(config: RunConfig) -> None:
    """Refuse to run without the key of the pseudonyms: records would hold real names.

    Raises:
        RecordError: The run's images have pseudonyms, and the key is not where it is said to be.
    """
    named = config.data.pseudonym_key
    if named is not None and not Path(named).is_file():
        # A place that was made up for a manifest without paths says nothing.
        where = "data.pseudonym_key" if Path(named).name == _NO_KEY else named
        raise RecordError(
            "the run's images have pseudonyms, and their key is not here",
            where=where,
            hint="say with --key FILE where it is",
        )


def dump_config_without_paths(manifest: Manifest) -> str:
    """Return the config that a manifest repeats, as YAML; its paths lead nowhere.

    Raises:
        RecordError: The manifest does not hold a config.
    """
    tree: dict[str, Any] = {}
    for name, value in {**manifest["config"]["rest"], **manifest["config"]["recipe"]}.items():
        holder: Any = tree
        *sections, last = name.split(".")
        for section in sections:
            holder = holder.setdefault(section, {}) if isinstance(holder, dict) else None
        if not isinstance(holder, dict) or isinstance(holder.get(last), dict):
            raise _refuse_config()
        holder[last] = value
    data, model = tree.get("data"), tree.get("model")
    if not isinstance(data, dict) or not isinstance(model, dict):
        raise _refuse_config()
    # A manifest holds no path. What is needed and not named is found missing, by its own check.
    if data.get("source") != "synthetic":
        data["root"] = _UNKNOWN
    if isinstance(data.get("csv"), dict) and data.get("source") == "csv":
        data["csv"]["file"] = f"{_UNKNOWN}/table.csv"
    if manifest.get("pseudonyms"):
        data["pseudonym_key"] = _NO_KEY
    given = model.get("weights")
    if isinstance(given, dict) and given.get("source") == "file":
        given["path"] = f"{_UNKNOWN}.safetensors"
    return dump_plain(tree)


def _refuse_config() -> RecordError:
    return RecordError(
        "the manifest's config is not one",
        where="config in the manifest",
        hint="it was edited; restore it",
    )
