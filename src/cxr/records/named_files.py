"""Files of a record, read once they are known to be those that its manifest names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.data_lock import DataLock, load_data_lock
from cxr.records.manifest import Manifest
from cxr.records.run_directory import DATA_LOCK


def load_named_object(directory: Path, name: str, manifest: Manifest) -> dict[str, Any]:
    """Read a JSON object that a record's manifest names.

    The manifest of a run that has not ended names no files to hold it against.

    Args:
        directory: The record's directory.
        name: Of the file.
        manifest: The record's, sealed.

    Raises:
        RecordError: The file is missing, no JSON object, or not the one that the manifest names.
    """
    content = load_json_object(directory / name)
    _require_named(directory, name, manifest)
    return content


def load_named_lock(run: Path, manifest: Manifest) -> DataLock:
    """Read the data lock that a run's manifest names, as `load_named_object` does.

    Raises:
        RecordError: It is missing, no lock, or not the one that the manifest names.
    """
    lock = load_data_lock(run / DATA_LOCK)
    _require_named(run, DATA_LOCK, manifest)
    if lock.digest != manifest["recipe"]["data_digest"]:
        raise RecordError(
            "the data lock is not that of the run",
            where=str(run / DATA_LOCK),
            hint="restore it; cxr verify says more",
        )
    return lock


def _require_named(directory: Path, name: str, manifest: Manifest) -> None:
    """Refuse a file that the manifest does not name with this digest."""
    files, path = manifest.get("files"), directory / name
    if isinstance(files, dict) and files.get(name) != digest_file(path):
        raise RecordError(
            f"{name} was changed: its bytes have another digest than in the manifest",
            where=str(path),
            hint="restore it; cxr verify says more",
        )
