"""Checking that a run directory still holds what its manifest says: consistent, or which edit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cxr.compare.verify_contents import check_evaluation, check_run
from cxr.compare.verify_findings import EDITED, Finding, Verification, take
from cxr.compare.verify_foreign import check_foreign
from cxr.digests.canonical import digest_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.records.epoch_figures import read_epoch_lines
from cxr.records.exported import require_no_export
from cxr.records.foreign_manifest import is_foreign, load_foreign_manifest
from cxr.records.ledger import CHAIN_START, read_ledger
from cxr.records.manifest import (
    EVALUATION_SCHEMA,
    LOOP_SCHEMA,
    RUN_SCHEMA,
    Manifest,
    is_sealed,
    load_manifest,
)
from cxr.records.run_directory import EVALUATIONS, LEDGER, MANIFEST, METRICS, Entry, walk_record


def verify_run(directory: Path) -> Verification:
    """Check files, digests, the ledger's chain and the records' contents against the manifest.

    Raises:
        RecordError: It is no run directory but perhaps an export, or the run never ended.
    """
    require_no_export(directory)
    if is_foreign(directory):
        return _verify_foreign(directory)
    manifest = load_manifest(directory)
    _require_ended(manifest, directory, "go on with cxr train --resume")
    present = {entry.path: entry for entry in walk_record(directory)}
    irregular = _list_irregular(present)
    findings = list(check_manifest(manifest))
    findings += _check_files(directory, take(manifest, "files"), present)
    num_files, num_evaluations = len(take(manifest, "files")), 0
    if manifest["schema"] == EVALUATION_SCHEMA:
        spoiled = {one.path for one in findings}
        findings += check_evaluation(directory, manifest, spoiled, irregular)
    else:
        if LEDGER not in irregular:
            findings += _check_ledger(directory, manifest)
        spoiled = {one.path for one in findings}
        findings += check_run(directory, manifest, spoiled, irregular)
        if manifest.get("status") == "completed" and not spoiled & {LEDGER, METRICS}:
            findings += _check_epochs(directory)
        for place in _list_evaluations(directory):
            found = _verify_evaluation(place, manifest)
            findings += [*found.findings, *found.unchecked]
            num_files += found.num_files
            num_evaluations += 1
    return Verification(
        str(manifest.get("status")),
        num_files,
        num_evaluations,
        findings=[one for one in findings if not one.is_open],
        unchecked=[one for one in findings if one.is_open],
    )


def _verify_foreign(directory: Path) -> Verification:
    """Check the record of a training loop or a command that cxr did not run itself."""
    manifest = load_foreign_manifest(directory)
    _require_ended(manifest, directory, "run it again, into another directory")
    files = take(manifest, "files")
    present = {entry.path: entry for entry in walk_record(directory)}
    findings = [*check_manifest(manifest), *_check_files(directory, files, present)]
    if manifest["schema"] == LOOP_SCHEMA and LEDGER not in _list_irregular(present):
        findings += _check_ledger(directory, manifest)
    findings += check_foreign(directory, manifest, {one.path for one in findings})
    return Verification(str(manifest.get("status")), len(files), 0, findings)


def _require_ended(manifest: Manifest, directory: Path, what_to_do: str) -> None:
    """Refuse a record that nobody has sealed."""
    if manifest.get("status") == "running":
        raise RecordError(
            "the run never ended: its manifest says running, and names no files",
            where=str(directory),
            hint=f"if no process writes to it, it was killed: {what_to_do}",
        )


def _list_evaluations(directory: Path) -> list[Path]:
    """Return what stands where later evaluations are kept."""
    place = directory / EVALUATIONS
    return sorted(place.iterdir()) if place.is_dir() and not place.is_symlink() else []


def _verify_evaluation(place: Path, run: Manifest) -> Verification:
    """Check one later evaluation, and that it is one of this run."""
    name = f"{EVALUATIONS}/{place.name}"
    if place.is_symlink() or not place.is_dir():
        return Verification("", 0, 0, [Finding(name, "is no evaluation's directory")])
    if place.name.startswith("."):
        return Verification("", 0, 0, [Finding(name, "was left by a killed evaluation")])
    try:
        found, manifest = verify_run(place), load_manifest(place)
    except RecordError as error:
        return Verification("", 0, 0, [Finding(name, error.problem)])
    findings, unchecked = (
        [replace(one, path=f"{name}/{one.path}") for one in those]
        for those in (found.findings, found.unchecked)
    )
    if manifest["schema"] == RUN_SCHEMA:
        findings.append(Finding(name, "is a run, not an evaluation of this one"))
    elif take(manifest, "run").get("manifest_digest") != run.get("manifest_digest"):
        findings.append(Finding(name, "is an evaluation of another manifest"))
    return replace(found, findings=findings, unchecked=unchecked)


def check_manifest(manifest: Manifest) -> Iterator[Finding]:
    """Check the manifest against its own digests."""
    if not is_sealed(manifest):
        yield Finding(MANIFEST, EDITED)
    for part in ("recipe", "environment", "outcome", "trace"):
        if part in manifest and manifest.get(f"{part}_digest") != digest_json(manifest[part]):
            yield Finding(MANIFEST, f"{part}_digest is not the digest of {part}")
    fields = take(manifest, "config").get("recipe")
    wanted = take(manifest, "recipe").get("config_digest")
    if fields is not None and digest_json(fields) != wanted:
        yield Finding(MANIFEST, "config.recipe is not the config of recipe.config_digest")


def _list_irregular(present: Mapping[str, Entry]) -> set[str]:
    """Return what is no regular file: it may have no end, so nothing looks into it."""
    return {name for name, entry in present.items() if not entry.is_file}


def _check_files(
    directory: Path, named: dict[str, Any], present: Mapping[str, Entry]
) -> Iterator[Finding]:
    """Check every file's bytes, and that there is nothing else."""
    for name in sorted(named):
        if name not in present:
            yield Finding(name, "is missing")
        elif present[name].is_file and digest_file(directory / name) != named[name]:
            yield Finding(name, "was changed: its bytes have another digest")
    for name, entry in present.items():
        if not entry.is_file:
            yield Finding(name, "is a link, or no regular file: a record holds neither")
        elif name not in named:
            yield Finding(name, "was added: the manifest does not name it")


def _check_ledger(directory: Path, manifest: Manifest) -> Iterator[Finding]:
    """Follow the ledger's chain to its head."""
    trace = take(manifest, "trace")
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


def _check_epochs(directory: Path) -> Iterator[Finding]:
    """Check that each epoch of the ledger has its figures, once and in order."""
    epochs = {record.epoch for record in read_ledger(directory) if "samples" in record.parts}
    try:
        found = [epoch for epoch, _ in read_epoch_lines(directory)]
    except RecordError as error:
        yield Finding(METRICS, error.problem)
        return
    if found != sorted(epochs):
        yield Finding(METRICS, "does not hold one line for each epoch of the ledger, in order")
