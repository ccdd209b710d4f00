"""What an environment is compared with: a capture, a run's record, a manifest alone, a lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cxr.compare.manifest_environment import read_manifest_environment
from cxr.determinism.levels import Level
from cxr.environment.facts import READABLE_SCHEMAS, Capture
from cxr.environment.lock_file import Lock, load_lock
from cxr.environment.locked_origins import derive_sources
from cxr.environment.locked_packages import derive_locked
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import (
    EVALUATION_SCHEMA,
    RUN_SCHEMA,
    Manifest,
    is_sealed,
    load_manifest,
    load_sealed_run,
)
from cxr.records.named_files import load_named_object
from cxr.records.repeat_record import find_first_run
from cxr.records.run_directory import ENVIRONMENT, MANIFEST

Kind = Literal["capture", "run", "evaluation", "repeat", "manifest", "lock"]

_OF_RUNS: Final = ("run", "evaluation", "repeat", "manifest")
_WHOLE_GROUPS: Final = ("python", "os", "cpu", "variables", "packages", "code", "images")
"""Groups that every capture has, in every version of the format."""

_LOCK_SUFFIX: Final = ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What an environment is compared with.

    Attributes:
        kind: What was given.
        capture: Its facts; of a manifest alone and of a lock, those that it holds.
        level: The level of the run; ``strict`` where there is none.
        lock: The lock, where one was given.
    """

    kind: Kind
    capture: Capture
    level: Level = Level.STRICT
    lock: Lock | None = None

    @property
    def is_of_run(self) -> bool:
        """Whether a run wrote it, for which cxr had set its own variables."""
        return self.kind in _OF_RUNS

    @property
    def is_partial(self) -> bool:
        """Whether it holds only the facts that count, and the packages."""
        return self.kind == "manifest"


def load_reference(path: Path) -> Reference:
    """Read what an environment is to be compared with.

    Args:
        path: A capture's file, a directory of a run, an evaluation or a repeat, a ``manifest.json``
            or a ``uv.lock``.

    Raises:
        RecordError: It is none of these, it was edited, or it holds nothing to compare.
    """
    if path.is_dir():
        return _load_directory(path)
    if path.suffix == _LOCK_SUFFIX:
        lock = load_lock(path)
        told = {"packages": derive_locked(lock), "origins": derive_sources(lock)}
        return Reference(kind="lock", capture=told, lock=lock)
    record = load_json_object(path)
    schema = record.get("schema")
    if schema in READABLE_SCHEMAS:
        return Reference(kind="capture", capture=require_capture(record, path))
    if schema in (RUN_SCHEMA, EVALUATION_SCHEMA):
        return _read_manifest(record, path)
    raise RecordError(
        f"no environment can be compared with this: its schema is {_name_schema(schema)}",
        where=str(path),
        hint="name a file of cxr env capture, a run's directory, its manifest.json, or a uv.lock",
    )


def load_run_environment(directory: Path, manifest: Manifest) -> Capture:
    """Read the environment that a record's manifest names.

    Args:
        directory: The record's directory.
        manifest: Its manifest, sealed.

    Raises:
        RecordError: The run never ended, or the file is not the one of the manifest.
    """
    if not isinstance(manifest.get("files"), dict):
        raise RecordError(
            "the run never ended: its manifest names no files",
            where=str(directory),
            hint="go on with cxr train --resume, or name a run that completed",
        )
    capture = load_named_object(directory, ENVIRONMENT, manifest)
    return require_capture(capture, directory / ENVIRONMENT)


def require_capture(capture: Capture, path: Path) -> Capture:
    """Return a capture, once it is known to be whole: a comparison with nothing shows nothing.

    Raises:
        RecordError: It has another schema, or lacks groups.
    """
    schema = capture.get("schema")
    missing = [name for name in _WHOLE_GROUPS if not isinstance(capture.get(name), dict)]
    if schema not in READABLE_SCHEMAS:
        problem = f"the capture has the schema {_name_schema(schema)}, which is not read here"
    elif missing:
        problem = f"the capture is not whole: it lacks {', '.join(missing)}"
    else:
        return capture
    raise RecordError(
        problem,
        where=str(path),
        hint=f"take one with cxr env capture --out FILE; read are {', '.join(READABLE_SCHEMAS)}",
    )


def _name_schema(schema: object) -> str:
    """Name a schema that may be anything, in a few letters."""
    text = ascii(schema)
    return text if len(text) < 60 else f"{text[:59]}…"  # noqa: PLR2004 - one line


def _load_directory(directory: Path) -> Reference:
    """Read the environment of a run, an evaluation, or the first run of a repeat."""
    first = find_first_run(directory)
    if first is not None:
        return _load_run("repeat", first)
    if load_manifest(directory)["schema"] == EVALUATION_SCHEMA:
        manifest = _require_sealed(load_manifest(directory), directory / MANIFEST)
        level = _read_level(manifest.get("determinism"), directory / MANIFEST)
        capture = load_run_environment(directory, manifest)
        return Reference(kind="evaluation", capture=capture, level=level)
    return _load_run("run", directory)


def _load_run(kind: Kind, directory: Path) -> Reference:
    manifest = load_sealed_run(directory)
    level = _read_level(manifest["recipe"]["determinism"], directory / MANIFEST)
    capture = load_run_environment(directory, manifest)
    return Reference(kind=kind, capture=capture, level=level)


def _read_manifest(manifest: Manifest, path: Path) -> Reference:
    """Return what a manifest without its directory tells about the environment."""
    _require_sealed(manifest, path)
    recipe = manifest.get("recipe")
    of_run = recipe if isinstance(recipe, dict) else manifest
    level = _read_level(of_run.get("determinism"), path)
    capture = read_manifest_environment(manifest, path)
    code = manifest.get("code")
    described = code if isinstance(code, dict) else {}
    capture["code"] = {**described, "digest": of_run.get("code_digest")}
    # Manifests of before told it in the recipe alone.
    if "arithmetic" in of_run:
        capture.setdefault("arithmetic", {"version": of_run["arithmetic"]})
    return Reference(kind="manifest", capture=capture, level=level)


def _require_sealed(manifest: Manifest, path: Path) -> Manifest:
    if not is_sealed(manifest):
        raise RecordError(
            "the manifest was edited: its content has another digest",
            where=str(path),
            hint="restore it; cxr verify says more",
        )
    return manifest


def _read_level(text: object, path: Path) -> Level:
    if not isinstance(text, str) or text not in set(Level):
        raise RecordError(
            "the manifest names no level of determinism",
            where=str(path),
            hint="restore it; cxr verify says more",
        )
    return Level(text)
