"""Manifests of what cxr did not run itself: read, and refused where they cannot be relied on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import (
    COMMAND_SCHEMA,
    FOREIGN,
    LOOP_SCHEMA,
    STATUSES,
    Manifest,
    find_misspelt,
    is_sealed,
)
from cxr.records.run_directory import MANIFEST

_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "status": (str,),
    "recipe": (dict,),
    "recipe_digest": (str,),
    "code": (dict,),
    "environment_digest": (str,),
    "volatile.started": (str,),
}
_LOOP_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "config.recipe": (dict,),
    "recipe.config_digest": (str,),
    "framework": (dict,),
    "controls": (dict,),
}
_COMMAND_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "command.arguments": (list,),
    "command.program": (dict,),
    "declared.in": (list,),
    "declared.out": (list,),
    "inputs": (dict,),
    "recipe.inputs_digest": (str,),
}
_COMPLETED_LOOP: Final[dict[str, tuple[type, ...]]] = {
    "outcome_digest": (str,),
    "trace.ledger_head": (str,),
    "trace.steps": (int,),
    "metrics": (dict,),
}
_ENDED_COMMAND: Final[dict[str, tuple[type, ...]]] = {
    "outcome.exit_status": (int,),
    "outcome.outputs_digest": (str,),
    "outcome_digest": (str,),
    "outputs": (dict,),
    "outputs_before": (dict,),
}


def find_schema(directory: Path) -> Any:
    """Return the schema of a directory's manifest; None where there is no manifest.

    Raises:
        RecordError: The manifest is no JSON object.
    """
    path = directory / MANIFEST
    return load_json_object(path).get("schema") if path.is_file() else None


def is_foreign(directory: Path) -> bool:
    """Say whether a record is of something that cxr did not run itself.

    Raises:
        RecordError: The manifest is no JSON object.
    """
    schema = find_schema(directory)
    return isinstance(schema, str) and schema in FOREIGN


def load_foreign_manifest(directory: Path) -> Manifest:
    """Read the manifest of a training loop or a command; neither digest nor fields are checked.

    Raises:
        RecordError: It is neither.
    """
    manifest = load_json_object(directory / MANIFEST)
    if manifest.get("schema") not in FOREIGN:
        raise RecordError(
            f"the manifest has the schema {manifest.get('schema')!r}, which is not read here",
            where=str(directory / MANIFEST),
            hint=f"name records of one kind: {LOOP_SCHEMA} or {COMMAND_SCHEMA}",
        )
    return manifest


def load_sealed_foreign(directory: Path) -> Manifest:
    """Read the manifest of a training loop or a command, for a reader that relies on it.

    Raises:
        RecordError: It is neither, was edited, or lacks a field.
    """
    manifest = load_foreign_manifest(directory)
    path = directory / MANIFEST
    if not is_sealed(manifest):
        raise RecordError(
            "the manifest was edited: its content has another digest",
            where=str(path),
            hint="restore it; cxr verify says more",
        )
    wrong = find_misspelt(manifest, _list_fields(manifest))
    if wrong or manifest["status"] not in STATUSES:
        raise RecordError(
            f"the manifest lacks or misspells {', '.join(wrong or ['status'])}",
            where=str(path),
            hint="restore it; cxr verify says more",
        )
    return manifest


def _list_fields(manifest: Manifest) -> dict[str, tuple[type, ...]]:
    status = manifest.get("status")
    if manifest["schema"] == LOOP_SCHEMA:
        return _FIELDS | _LOOP_FIELDS | (_COMPLETED_LOOP if status == "completed" else {})
    # A command that failed may have an outcome as well: its outputs were there.
    has_ended = status == "completed" or "outcome" in manifest
    return _FIELDS | _COMMAND_FIELDS | (_ENDED_COMMAND if has_ended else {})
