"""``export.json``: which run was exported, with what, how well it agrees, and every digest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cxr.atomic import write_bytes
from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.exported import EXPORT
from cxr.release.layout import ALWAYS, EXPORT_SCHEMA

ExportRecord = dict[str, Any]

EXPORT_DIGEST: Final = "export_digest"
RUN_DIGESTS: Final = ("manifest_digest", "outcome_digest", "recipe_digest", "trace_digest")
"""Of the run, repeated by its export."""


def write_export_record(directory: Path, content: Mapping[str, Any]) -> ExportRecord:
    """Write the record of a directory that holds all other files; return what was written.

    Args:
        directory: The export.
        content: What the record says besides its schema, its files and its own digest.

    Raises:
        StorageError: It cannot be written.
    """
    files = {path.name: digest_file(path) for path in sorted(directory.iterdir())}
    body = {"schema": EXPORT_SCHEMA, **content, "files": files}
    record = {**body, EXPORT_DIGEST: digest_json(body)}
    write_bytes(directory / EXPORT, canonical_json(record) + b"\n")
    return record


def load_export_schema(directory: Path) -> ExportRecord:
    """Read the record of an export, whatever it says besides that it is one.

    Raises:
        RecordError: There is none, or it is something else.
    """
    path = directory / EXPORT
    record = load_json_object(path)
    if record.get("schema") != EXPORT_SCHEMA:
        raise RecordError(
            f"not an export: its schema is {record.get('schema')!r}",
            where=str(path),
            hint=f"name a directory that cxr export wrote ({EXPORT_SCHEMA})",
        )
    return record


def load_export_record(directory: Path) -> ExportRecord:
    """Read the record of an export; the files are not looked at.

    Raises:
        RecordError: There is none, it was edited, or it does not name every file that an export
            has.
    """
    path, record = directory / EXPORT, load_export_schema(directory)
    body = {name: value for name, value in record.items() if name != EXPORT_DIGEST}
    files = record.get("files")
    whole = isinstance(files, dict) and {*ALWAYS} - {EXPORT} <= files.keys()
    if not whole or record.get(EXPORT_DIGEST) != digest_json(body):
        raise RecordError(
            "the export's record was edited: its content has another digest",
            where=str(path),
            hint="export the run again",
        )
    return record
