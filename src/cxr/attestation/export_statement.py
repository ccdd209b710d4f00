"""Who signed an export: its run through the run's own attestation, and every file through another.

The run's attestation names manifest and weights. What it does not name, as the card and an ONNX
model, is signed by a statement about the export, which follows from the files alone. Both are of
Ed25519 keys; `cxr.attestation.export_signatures` chooses between them and model-signing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxr.attestation.dsse import Envelope, parse_envelope
from cxr.attestation.statement import STATEMENT_TYPE, Statement, list_subjects
from cxr.attestation.verify_attestation import (
    check_envelope,
    check_subjects,
    parse_statement,
    read_envelope,
)
from cxr.compare.verify_findings import Finding
from cxr.digests.canonical import PREFIX, canonical_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.exported import EXPORT, LABELS, RECIPE
from cxr.records.manifest import load_manifest
from cxr.records.run_directory import MANIFEST, is_left_by_file_manager
from cxr.release.export_record import EXPORT_DIGEST
from cxr.release.layout import (
    ATTESTATION,
    EXPORT_ATTESTATION,
    LEDGER_HEAD,
    MODEL_SIGNATURE,
    WEIGHTS,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# Of the TypeURIs of in-toto, which may lead nowhere; no host is ours to name.
PREDICATE_TYPE: Final = "urn:cxr:predicate:export:v1"

_OTHER_KIND: Final = "is a signature by another kind of key; cxr verify checks it with that one"
_NO_FILE: Final = "is no regular file: a signature covers files alone"
_FOLLOWING: Final = (LABELS, LEDGER_HEAD, RECIPE)
"""What `cxr.release.verify_export` derives from the manifest: signed with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportAuthentication:
    """What came of checking who signed an export.

    Attributes:
        findings: What is wrong; nothing where whatever is signed is authentic.
        signed: Files under a good signature, or that follow from such, in name order.
        unsigned: The others, in name order.
        unchecked: Signatures by another kind of key, which is the one that checks them. They are no
            part of what is used, and so do not count as unsigned.
    """

    findings: list[Finding]
    signed: list[str]
    unsigned: list[str]
    unchecked: list[Finding] = field(default_factory=list)


def derive_authentication(
    present: set[str], signed: set[str], *, of_other_kind: tuple[str, ...]
) -> ExportAuthentication:
    """Return what came of it where nothing is wrong: which files are signed and which are not.

    Args:
        present: The export's files.
        signed: Those that a good signature covers, or that hold one; others may be among them.
        of_other_kind: Signatures that another kind of key makes and checks.
    """
    rest = present - signed
    others = rest & {*of_other_kind}
    return ExportAuthentication(
        findings=[],
        signed=sorted(signed & present),
        unsigned=sorted(rest - others),
        unchecked=[Finding(name, _OTHER_KIND, is_open=True) for name in sorted(others)],
    )


def derive_export_statement(directory: Path) -> Statement:
    """Return the statement about an export: every file in it but those that sign all of it.

    ``model.sig`` names the file that this statement lies in, and so can only be made after it.

    Raises:
        RecordError: Something in it is no file, which no statement covers.
    """
    record = load_json_object(directory / EXPORT)
    entries = _list_entries(directory)
    for path in entries:
        if not _is_file(path):
            raise RecordError(
                f"{path.name} {_NO_FILE}",
                where=str(directory),
                hint="move it out of the export",
            )
    names = sorted({path.name for path in entries} - {EXPORT_ATTESTATION, MODEL_SIGNATURE})
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {
                "name": name,
                "digest": {"sha256": digest_file(directory / name).removeprefix(PREFIX)},
            }
            for name in names
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"exportDigest": record.get(EXPORT_DIGEST), "run": record.get("run")},
    }


def verify_export_attestations(directory: Path, key: Ed25519PublicKey) -> ExportAuthentication:
    """Check the signatures in an export that verifies otherwise.

    Args:
        directory: The export; see `cxr.release.verify_export`, which is asked first.
        key: Whose signatures they must be.

    Raises:
        RecordError: Nothing in it is signed.
    """
    entries = _list_entries(directory)
    names = {path.name for path in entries}
    if not names & {ATTESTATION, EXPORT_ATTESTATION}:
        raise RecordError(
            "nothing is signed with a key of this kind: there is no attestation in it",
            where=str(directory),
            hint="ask whoever published it to sign it (cxr attest), or check it without --key",
        )
    findings = [Finding(path.name, _NO_FILE) for path in entries if not _is_file(path)]
    if findings:
        return ExportAuthentication(findings=findings, signed=[], unsigned=[])
    signed: set[str] = set()
    if ATTESTATION in names:
        found = _verify_run_attestation(directory, key)
        findings += found
        signed |= set() if found else {ATTESTATION, MANIFEST, WEIGHTS, *_FOLLOWING}
    if EXPORT_ATTESTATION in names:
        found = _verify_export_attestation(directory, key)
        findings += found
        signed |= set() if found else names - {MODEL_SIGNATURE}
    derived = derive_authentication(names, signed, of_other_kind=(MODEL_SIGNATURE,))
    return replace(derived, findings=findings)


def _list_entries(directory: Path) -> list[Path]:
    """Return what lies in an export, in name order, but what a file manager leaves there.

    That comes and goes with whoever looks at the folder: it is passed over, as in a run.
    """
    return [path for path in sorted(directory.iterdir()) if not is_left_by_file_manager(path)]


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _verify_run_attestation(directory: Path, key: Ed25519PublicKey) -> list[Finding]:
    """Check that the manifest, and so each file that it names, was signed."""
    envelope = _open(directory / ATTESTATION, key)
    if isinstance(envelope, Finding):
        return [envelope]
    try:
        statement = parse_statement(envelope.payload)
    except ValueError as error:
        return [Finding(ATTESTATION, f"is signed, but {error}")]
    subjects = list_subjects(load_manifest(directory), digest_file(directory / MANIFEST))
    return list(check_subjects(statement, subjects, ATTESTATION))


def _verify_export_attestation(directory: Path, key: Ed25519PublicKey) -> list[Finding]:
    """Derive the statement about the export once more, and compare."""
    envelope = _open(directory / EXPORT_ATTESTATION, key)
    if isinstance(envelope, Finding):
        return [envelope]
    if envelope.payload == canonical_json(derive_export_statement(directory)):
        return []
    said = "is of another export, or of this one before a file of it was changed"
    return [Finding(EXPORT_ATTESTATION, said)]


def _open(path: Path, key: Ed25519PublicKey) -> Envelope | Finding:
    """Return an envelope with a good signature, or what is wrong with it."""
    try:
        content = read_envelope(path)
        envelope = parse_envelope(content)
    except ValueError as error:
        return Finding(path.name, f"is no envelope: {error}")
    problems = list(check_envelope(envelope, content, key))
    return Finding(path.name, problems[0]) if problems else envelope
