"""Checking that an exported directory is whole, and is the export of the run whose manifest it has.

Whoever edits a file can write ``export.json`` anew. So what follows from the run's manifest is
derived from it once more: weights, recipe, class names, the end of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxr.compare.verify_findings import EDITED, Finding, Verification, take
from cxr.compare.verify_run import check_manifest
from cxr.config.fields import digest_config
from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_file
from cxr.digests.weights_file import digest_weights_file
from cxr.errors import ConfigError, RecordError
from cxr.json_file import load_json_object
from cxr.records.exported import (
    EXPORT,
    LABELS,
    RECIPE,
    load_exported_classes,
    load_exported_recipe,
)
from cxr.records.manifest import Manifest, load_sealed_run
from cxr.records.run_directory import walk_record
from cxr.release.export_record import EXPORT_DIGEST, RUN_DIGESTS, ExportRecord, load_export_schema
from cxr.release.layout import (
    ALWAYS,
    COMPANIONS,
    LEDGER_HEAD,
    MANIFEST,
    SOMETIMES,
    WEIGHTS,
    describe_ledger_head,
)


def verify_export(directory: Path) -> Verification:
    """Check files, digests and what follows from the manifest; signatures are not looked at.

    Raises:
        RecordError: It is no export, or its record or the run's manifest cannot be read.
    """
    record = load_export_schema(directory)
    findings = [*_check_record(record), *_check_files(directory, take(record, "files"))]
    spoiled = {one.path for one in findings}
    if spoiled & {MANIFEST, EXPORT}:
        return Verification("", len(take(record, "files")) + 1, 0, findings)
    try:
        manifest = load_sealed_run(directory, completed=True)
    except RecordError as error:
        findings.append(Finding(MANIFEST, error.problem))
        return Verification("", len(take(record, "files")) + 1, 0, findings)
    findings += check_manifest(manifest)
    for name in RUN_DIGESTS:
        if take(record, "run").get(name) != manifest[name]:
            findings.append(Finding(EXPORT, f"is of another run: {name} is not the manifest's"))
    findings += _check_contents(directory, manifest, spoiled)
    return Verification(manifest["status"], len(take(record, "files")) + 1, 0, findings)


def _check_record(record: ExportRecord) -> Iterator[Finding]:
    """Check the record against its own digest, and that it names what an export has."""
    body = {name: value for name, value in record.items() if name != EXPORT_DIGEST}
    if record.get(EXPORT_DIGEST) != digest_json(body):
        yield Finding(EXPORT, EDITED.replace("manifest_digest", EXPORT_DIGEST))
    named = take(record, "files").keys()
    wanted = {*ALWAYS} - {EXPORT}
    for name in sorted(wanted - named):
        yield Finding(EXPORT, f"does not name {name}, which every export has")
    for name in sorted(named - wanted - {*SOMETIMES}):
        yield Finding(EXPORT, f"names {name}, which is no file of an export")


def _check_files(directory: Path, named: dict[str, Any]) -> Iterator[Finding]:
    """Check every file's bytes, and that there is nothing else."""
    present = {path.name: path for path in directory.iterdir()}
    for name in sorted(named.keys() - present.keys()):
        yield Finding(name, "is missing")
    # What a file manager leaves behind is passed over, as in a run; the manifest is not.
    walked = {entry.path.partition("/")[0] for entry in walk_record(directory)}
    for name in sorted(walked | {MANIFEST} & present.keys()):
        path = present[name]
        if path.is_symlink() or not path.is_file():
            yield Finding(name, "is a link, a directory or no regular file")
        elif name in named:
            if digest_file(path) != named[name]:
                yield Finding(name, "was changed: its bytes have another digest")
        elif name != EXPORT and name not in COMPANIONS:
            yield Finding(name, f"was added: {EXPORT} does not name it")


def _check_contents(directory: Path, manifest: Manifest, spoiled: set[str]) -> Iterator[Finding]:
    """Compare what files say with the manifest, leaving out those known to be changed."""
    if WEIGHTS not in spoiled:
        yield from _check_weights(directory / WEIGHTS, manifest)
    if LEDGER_HEAD not in spoiled:
        wanted = canonical_json(describe_ledger_head(manifest)) + b"\n"
        if (directory / LEDGER_HEAD).read_bytes() != wanted:
            yield Finding(LEDGER_HEAD, "does not say what the manifest's trace says")
    if RECIPE not in spoiled:
        try:
            config = load_exported_recipe(directory)
        except ConfigError as error:
            yield Finding(RECIPE, f"is not read: {error.problem}")
            return
        if digest_config(config) != manifest["recipe"]["config_digest"]:
            yield Finding(RECIPE, "is another recipe than recipe.config_digest")
        elif LABELS not in spoiled:
            try:
                load_exported_classes(directory, manifest, config)
            except RecordError as error:
                yield Finding(LABELS, error.problem)


def _check_weights(path: Path, manifest: Manifest) -> Iterator[Finding]:
    """Compare the weights with the run's: the file's bytes, and its tensors."""
    if digest_file(path) != take(manifest, "files").get(WEIGHTS):
        yield Finding(WEIGHTS, "is not the file that the run's manifest names")
    try:
        found = digest_weights_file(path)
    except (ValueError, RecursionError) as error:
        yield Finding(WEIGHTS, f"cannot be read: {' '.join(str(error).split())[:100]}")
        return
    if found != manifest["outcome"]["weights_digest"]:
        yield Finding(WEIGHTS, "its content is not the one of weights_digest")


def load_sound_export(directory: Path) -> ExportRecord:
    """Return the record of an export that verifies.

    Raises:
        RecordError: It does not, or is none.
    """
    verify_export(directory).require_consistent(
        directory,
        refusal="the export does not verify",
        hint="export the run again; cxr verify names every finding",
    )
    return load_json_object(directory / EXPORT)
