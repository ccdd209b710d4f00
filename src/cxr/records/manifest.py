"""The manifest: one canonical JSON object that says what went in and what came out.

Its format is written down in ``docs/formats/manifest.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.records.atomic import write_bytes
from cxr.records.json_file import load_json_object
from cxr.records.run_directory import MANIFEST, list_files

RUN_SCHEMA: Final = "cxr.manifest/1"
EVALUATION_SCHEMA: Final = "cxr.evaluation/1"
REPEAT_SCHEMA: Final = "cxr.repeat/1"

Manifest = dict[str, Any]

_DIGEST: Final = "manifest_digest"


def seal_manifest(content: Mapping[str, Any]) -> Manifest:
    """Return ``content`` with the digest of all of it added."""
    body = {key: value for key, value in content.items() if key != _DIGEST}
    return {**body, _DIGEST: digest_json(body)}


def is_sealed(manifest: Manifest) -> bool:
    """Say whether a manifest has the digest of its own content."""
    try:
        return manifest == seal_manifest(manifest)
    except ValueError:
        return False


def write_manifest(directory: Path, content: Mapping[str, Any]) -> Manifest:
    """Seal ``content`` and write it atomically as ``manifest.json``; return what was written.

    Raises:
        StorageError: It cannot be written.
    """
    manifest = seal_manifest(content)
    write_bytes(directory / MANIFEST, canonical_json(manifest) + b"\n")
    return manifest


def load_manifest(directory: Path) -> Manifest:
    """Read the manifest of a run directory; its digest is not checked here.

    Raises:
        RecordError: There is none, or it is not a manifest that this version reads.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise RecordError(
            "not a run directory: it holds no manifest.json",
            where=str(directory),
            hint="name a directory that cxr train wrote, such as one below runs/",
        )
    manifest = load_json_object(path)
    schema = manifest.get("schema")
    if schema not in (RUN_SCHEMA, EVALUATION_SCHEMA):
        raise RecordError(
            f"the manifest has the schema {schema!r}, which this version does not read",
            where=str(path),
            hint=f"it reads {RUN_SCHEMA}; use the version of cxr that wrote the run",
        )
    return manifest


def digest_files(directory: Path) -> dict[str, str]:
    """Return SHA-256 by POSIX path of every file of a run."""
    return {
        path.relative_to(directory).as_posix(): digest_file(path) for path in list_files(directory)
    }
