"""The manifest: one canonical JSON object that says what went in and what came out.

Its format is written down in ``docs/formats/manifest.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Final

from cxr.atomic import write_bytes
from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.figures import SCALARS
from cxr.records.run_directory import MANIFEST, list_files

RUN_SCHEMA: Final = "cxr.manifest/1"
EVALUATION_SCHEMA: Final = "cxr.evaluation/1"
REPEAT_SCHEMA: Final = "cxr.repeat/1"
REPRODUCTION_SCHEMA: Final = "cxr.reproduction/1"
SELFTEST_SCHEMA: Final = "cxr.selftest/1"
LOOP_SCHEMA: Final = "cxr.loop/1"
COMMAND_SCHEMA: Final = "cxr.command/1"

FOREIGN: Final = {
    LOOP_SCHEMA: "a training that cxr did not run itself",
    COMMAND_SCHEMA: "a command",
}
"""Records of what others run, by schema: `cxr.records.foreign_manifest` reads them."""

STATUSES: Final = ("running", "completed", "failed", "interrupted")

Manifest = dict[str, Any]

_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "status": (str,),
    "recipe.config_digest": (str,),
    "recipe.data_digest": (str,),
    "recipe.code_digest": (str,),
    "recipe.weights_in": (str, NoneType),
    "recipe.seed": (int,),
    "recipe.determinism": (str,),
    "recipe_digest": (str,),
    "config.recipe": (dict,),
    "config.rest": (dict,),
    "controls": (dict,),
    "environment_digest": (str,),
    "volatile.started": (str,),
}
_ENDED_FIELDS: Final[dict[str, tuple[type, ...]]] = {"files": (dict,)}
_COMPLETED_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "outcome.weights_digest": (str,),
    "outcome.predictions_digest": (str,),
    "outcome_digest": (str,),
    "trace.ledger_head": (str,),
    "trace.steps": (int,),
    "trace_digest": (str,),
    "metrics.split": (str,),
    **{f"metrics.{name}": (float, int, NoneType) for name in SCALARS},
}
"""What readers of a run rely on, by dotted name and types."""

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
    require_manifest(directory)
    return load_manifest_file(directory / MANIFEST)


def require_manifest(directory: Path) -> None:
    """Refuse a directory without a manifest, whatever one there may say.

    Raises:
        RecordError: There is none.
    """
    if not (directory / MANIFEST).is_file():
        raise RecordError(
            "not a run directory: it holds no manifest.json",
            where=str(directory),
            hint="name a directory that cxr train wrote, such as one below runs/",
        )


def load_manifest_file(path: Path) -> Manifest:
    """Read a manifest that may have left its run directory; its digest is not checked here.

    Raises:
        RecordError: It is not a manifest that this version reads.
    """
    manifest = load_json_object(path)
    schema = manifest.get("schema")
    if isinstance(schema, str) and schema in FOREIGN:
        raise RecordError(
            f"not a run of cxr train: it is the record of {FOREIGN[schema]}",
            where=str(path.parent),
            hint="cxr diff and cxr verify read it; name a run of cxr train here",
        )
    if schema not in (RUN_SCHEMA, EVALUATION_SCHEMA):
        raise RecordError(
            f"the manifest has the schema {schema!r}, which this version does not read",
            where=str(path),
            hint=f"it reads {RUN_SCHEMA}; use the version of cxr that wrote the run",
        )
    return manifest


def load_sealed_run(directory: Path, *, completed: bool = False) -> Manifest:
    """Read the manifest of a run, for a reader that relies on what it says.

    Args:
        directory: The run directory.
        completed: Whether only a run that came to its end will do.

    Returns:
        A manifest with the digest of its own content, and with every field that readers use.

    Raises:
        RecordError: It is no run's, was edited, lacks a field, or the run did not complete.
    """
    manifest = load_manifest(directory)
    require_sealed_run(manifest, directory / MANIFEST, completed=completed)
    return manifest


def require_sealed_run(manifest: Manifest, path: Path, *, completed: bool = False) -> None:
    """Refuse a manifest that a reader cannot rely on.

    Args:
        manifest: What was read.
        path: From which file.
        completed: Whether only a run that came to its end will do.

    Raises:
        RecordError: It is no run's, was edited, lacks a field, or the run did not complete.
    """
    if manifest.get("schema") != RUN_SCHEMA:
        raise RecordError(
            "not a run: this is a later evaluation of one",
            where=str(path.parent),
            hint="name the run's own directory",
        )
    if not is_sealed(manifest):
        raise RecordError(
            "the manifest was edited: its content has another digest",
            where=str(path),
            hint="restore it; cxr verify says more",
        )
    status = manifest.get("status")
    if completed and status != "completed":
        raise RecordError(
            f"the run did not complete: its status is {status}",
            where=str(path.parent),
            hint="name a run that completed, or go on with cxr train --resume",
        )
    wanted = {
        **_FIELDS,
        **(_ENDED_FIELDS if status != "running" else {}),
        **(_COMPLETED_FIELDS if status == "completed" else {}),
    }
    wrong = find_misspelt(manifest, wanted)
    if wrong or status not in STATUSES:
        raise RecordError(
            f"the manifest lacks or misspells {', '.join(wrong or ['status'])}",
            where=str(path),
            hint="restore it; cxr verify says more",
        )


def find_misspelt(manifest: Manifest, wanted: Mapping[str, tuple[type, ...]]) -> list[str]:
    """Return the fields, by dotted name, that are missing or have another type than wanted."""
    return [name for name, kinds in wanted.items() if not isinstance(_find(manifest, name), kinds)]


def _find(manifest: Manifest, dotted: str) -> Any:
    """Return the field of that dotted name, or a value of no record's type."""
    value: Any = manifest
    for key in dotted.split("."):
        value = value.get(key, ...) if isinstance(value, dict) else ...
    return value


def digest_files(directory: Path) -> dict[str, str]:
    """Return SHA-256 by POSIX path of every file of a run."""
    return {
        path.relative_to(directory).as_posix(): digest_file(path) for path in list_files(directory)
    }
