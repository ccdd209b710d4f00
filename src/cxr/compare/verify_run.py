"""Checking that a run directory still holds what its manifest says: consistent, or which edit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr.determinism.levels import Level
from cxr.digests.canonical import digest_json
from cxr.digests.files import digest_file
from cxr.digests.weights_file import digest_weights_file
from cxr.errors import RecordError
from cxr.records.data_lock import load_data_lock
from cxr.records.facts import digest_environment
from cxr.records.json_file import load_json_object
from cxr.records.ledger import CHAIN_START, read_ledger
from cxr.records.manifest import RUN_SCHEMA, Manifest, is_sealed, load_manifest
from cxr.records.run_directory import (
    DATA_LOCK,
    ENVIRONMENT,
    LEDGER,
    MANIFEST,
    PREDICTIONS,
    WEIGHTS,
    list_files,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the manifest says."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked and found.

    Attributes:
        status: The run's status.
        num_files: Files compared with the manifest.
        findings: Empty where everything is consistent.
    """

    status: str
    num_files: int
    findings: list[Finding]


def verify_run(directory: Path) -> Verification:
    """Check files, digests, the ledger's chain and the weights against the manifest.

    Without a signature this shows that the records are consistent, not who wrote them.

    Raises:
        RecordError: It is no run directory, or the run never ended.
    """
    manifest = load_manifest(directory)
    if manifest.get("status") == "running":
        raise RecordError(
            "the run never ended: its manifest says running, and names no files",
            where=str(directory),
            hint="if no process writes to it, it was killed: go on with cxr train --resume",
        )
    named = _take(manifest, "files")
    findings = list(_check_manifest(manifest))
    findings += _check_files(directory, named)
    if manifest["schema"] == RUN_SCHEMA:
        findings += _check_ledger(directory, manifest)
        findings += _check_contents(directory, manifest)
    return Verification(str(manifest.get("status")), len(named), findings)


def _check_manifest(manifest: Manifest) -> Iterator[Finding]:
    """Check the manifest against its own digests."""
    if not is_sealed(manifest):
        yield Finding(MANIFEST, "was edited: its content has another manifest_digest")
    for part in ("recipe", "outcome", "trace"):
        if part in manifest and manifest.get(f"{part}_digest") != digest_json(manifest[part]):
            yield Finding(MANIFEST, f"{part}_digest is not the digest of {part}")
    fields = _take(manifest, "config").get("recipe")
    wanted = _take(manifest, "recipe").get("config_digest")
    if fields is not None and digest_json(fields) != wanted:
        yield Finding(MANIFEST, "config.recipe is not the config of recipe.config_digest")


def _check_files(directory: Path, named: dict[str, Any]) -> Iterator[Finding]:
    """Check every file's bytes, and that there are no others."""
    present = {path.relative_to(directory).as_posix() for path in list_files(directory)}
    for name in sorted(named):
        if name not in present:
            yield Finding(name, "is missing")
        elif digest_file(directory / name) != named[name]:
            yield Finding(name, "was changed: its bytes have another digest")
    for name in sorted(present - named.keys()):
        yield Finding(name, "was added: the manifest does not name it")


def _check_ledger(directory: Path, manifest: Manifest) -> Iterator[Finding]:
    """Follow the ledger's chain to its head."""
    trace = _take(manifest, "trace")
    head, steps = CHAIN_START, 0
    try:
        for record in read_ledger(directory):
            head = record.chain
            steps += "samples" in record.parts
    except RecordError as error:
        yield Finding(LEDGER, f"{error.problem} ({Path(error.where).name})")
        return
    if head != trace.get("ledger_head"):
        yield Finding(LEDGER, "does not end at the manifest's ledger_head")
    if steps != trace.get("steps"):
        yield Finding(LEDGER, f"has {steps} steps, the manifest {trace.get('steps')}")


def _digest_environment_of(path: Path, manifest: Manifest) -> str:
    """Return the digest of the facts in a capture that count at the run's level."""
    level = Level(str(_take(manifest, "recipe").get("determinism")))
    return digest_environment(load_json_object(path), level)


def _check_contents(directory: Path, manifest: Manifest) -> Iterator[Finding]:
    """Check weights, predictions and data lock against the digests of their content."""
    outcome = _take(manifest, "outcome")
    checks = (
        (WEIGHTS, digest_weights_file, outcome.get("weights_digest"), "weights_digest"),
        (PREDICTIONS, digest_file, outcome.get("predictions_digest"), "predictions_digest"),
        (
            ENVIRONMENT,
            lambda path: _digest_environment_of(path, manifest),
            manifest.get("environment_digest"),
            "environment_digest",
        ),
        (
            DATA_LOCK,
            lambda path: load_data_lock(path).digest,
            _take(manifest, "recipe").get("data_digest"),
            "data_digest",
        ),
    )
    for name, digest, wanted, field in checks:
        if wanted is None:
            continue
        try:
            found = digest(directory / name)
        except (OSError, ValueError, RecordError) as error:
            yield Finding(name, f"cannot be read: {' '.join(str(error).split())[:100]}")
            continue
        if found != wanted:
            yield Finding(name, f"its content is not the one of {field}")


def _take(manifest: Manifest, part: str) -> dict[str, Any]:
    """Return a part of a manifest, empty where an edit left something else there."""
    value = manifest.get(part)
    return value if isinstance(value, dict) else {}
