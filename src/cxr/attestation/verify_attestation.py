"""Checking the attestation of a run: the signature first, then what was signed.

What the specifications leave open is closed here: one signature, one spelling of the file, one
statement that follows from the run. So no byte of the envelope can be another one.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxr.attestation.dsse import Envelope, encode_for_signing, parse_envelope, render_envelope
from cxr.attestation.keys import derive_keyid
from cxr.attestation.statement import (
    BUILD_TYPE,
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    STARTED,
    STATEMENT_TYPE,
    Statement,
    derive_statement,
    list_subjects,
)
from cxr.attestation.strict_json import parse_json_object
from cxr.bounded_file import read_bounded
from cxr.compare.verify_findings import Finding, take
from cxr.digests.canonical import PREFIX, canonical_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import Manifest, load_manifest, require_sealed_run
from cxr.records.run_directory import ENVIRONMENT, MANIFEST

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_ENVELOPE_BYTES: Final = 16 * 2**20
"""A hundred bytes a file of the run and a package, and the config: thousands fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """What came of checking an attestation.

    Attributes:
        findings: What is wrong; nothing where the run is authentic.
        num_signed: How many files of the run are signed; 0 where the signature is not good.
    """

    findings: list[Finding]
    num_signed: int = 0


def verify_attestation(
    directory: Path, path: Path, key: Ed25519PublicKey, *, is_consistent: bool
) -> Authentication:
    """Check that the holder of a key signed what this run directory holds.

    That the files are those that the manifest names is for `cxr.compare.verify_run` to check.

    Args:
        directory: The run directory.
        path: The envelope.
        key: Whose signature it must have.
        is_consistent: Whether the run agrees with its own records. If not, the signature and the
            files' digests are checked, and nothing is derived from the manifest.

    Raises:
        RecordError: The envelope or the manifest is missing or cannot be read, or it is no run.
    """
    name = path.name
    try:
        content = read_envelope(path)
        envelope = parse_envelope(content)
    except ValueError as error:
        return Authentication(findings=[Finding(name, f"is no envelope: {error}")])
    findings = [Finding(name, problem) for problem in check_envelope(envelope, content, key)]
    if findings:
        # What nobody vouches for is not read any further.
        return Authentication(findings=findings)
    try:
        statement = parse_statement(envelope.payload)
    except ValueError as error:
        return Authentication(findings=[Finding(name, f"is signed, but {error}")])
    manifest = load_manifest(directory)
    manifest_file = digest_file(directory / MANIFEST)
    subjects = list_subjects(manifest, manifest_file)
    findings = list(check_subjects(statement, subjects, name))
    if is_consistent and not findings:
        require_sealed_run(manifest, directory / MANIFEST, completed=True)
        findings += _check_claims(directory, manifest, manifest_file, envelope.payload, name)
    return Authentication(findings=findings, num_signed=len(subjects))


def read_envelope(path: Path) -> bytes:
    """Return the bytes of an envelope.

    Raises:
        RecordError: There is none, or it cannot be read.
        ValueError: It is too large to be one.
    """
    try:
        return read_bounded(path, max_bytes=MAX_ENVELOPE_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ValueError(error.strerror) from error
        raise RecordError(
            f"cannot read the attestation: {error.strerror or error}",
            where=str(path),
            hint="name it with --attestation FILE; cxr attest writes one",
        ) from error


def check_envelope(envelope: Envelope, content: bytes, key: Ed25519PublicKey) -> Iterator[str]:
    """Say what is wrong with an envelope, without reading its payload."""
    if len(envelope.signatures) != 1:
        yield f"has {len(envelope.signatures)} signatures, where one key signs alone"
        return
    signature, keyid = envelope.signatures[0], derive_keyid(key)
    if not _is_signed(envelope, key):
        yield (
            f"is signed with another key: {signature.keyid}"
            if signature.keyid != keyid
            else "has no valid signature of this key: it was changed after it was signed"
        )
    # From here on it is known to be signed; what follows is not under the signature, or a choice.
    elif signature.keyid != keyid:
        yield "names another key than the one that signed it"
    elif envelope.payload_type != PAYLOAD_TYPE:
        yield f"has the payload type {envelope.payload_type}, not {PAYLOAD_TYPE}"
    elif render_envelope(envelope) != content:
        yield "is not spelled as cxr spells it: something was added, or written otherwise"


def _is_signed(envelope: Envelope, key: Ed25519PublicKey) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        signed = encode_for_signing(envelope.payload_type, envelope.payload)
        key.verify(envelope.signatures[0].sig, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def parse_statement(payload: bytes) -> Statement:
    """Return the statement of a payload about a run.

    Raises:
        ValueError: It is none about a run.
    """
    try:
        statement = parse_json_object(payload)
    except ValueError as error:
        raise ValueError(f"its payload is no statement: {error}") from error
    definition = take(take(statement, "predicate"), "buildDefinition")
    for name, found, wanted in (
        ("_type", statement.get("_type"), STATEMENT_TYPE),
        ("predicateType", statement.get("predicateType"), PREDICATE_TYPE),
        ("buildType", definition.get("buildType"), BUILD_TYPE),
    ):
        if found != wanted:
            raise ValueError(f"its {name} is {found!r}, where this version reads {wanted!r}")
    return statement


def check_subjects(
    statement: Statement, wanted: dict[str, str], envelope: str
) -> Iterator[Finding]:
    """Compare the files that were signed with those of the run."""
    subjects = statement.get("subject")
    signed: dict[str, str] = {}
    for one in subjects if isinstance(subjects, list) else ():
        name, digest = _read_subject(one)
        if name in signed:
            yield Finding(envelope, f"names {name} twice")
        signed[name] = digest
    if signed.get(MANIFEST) not in (wanted[MANIFEST], None):
        yield Finding(
            envelope, "is of another run, or of this one before it was changed: see manifest.json"
        )
    for name in sorted(signed.keys() | wanted.keys()):
        if name not in wanted:
            yield Finding(envelope, f"names {name}, which is no file of the run")
        elif name not in signed:
            yield Finding(envelope, f"does not name {name}: it is not signed")
        elif signed[name] != wanted[name]:
            yield Finding(name, "is not the one that was signed")


def _read_subject(one: Any) -> tuple[str, str]:
    """Return name and ``sha256:<hex>`` of a subject, empty where it has none."""
    subject = one if isinstance(one, dict) else {}
    return str(subject.get("name", "")), f"{PREFIX}{take(subject, 'digest').get('sha256', '')}"


def _check_claims(
    directory: Path, manifest: Manifest, manifest_file: str, payload: bytes, envelope: str
) -> Iterator[Finding]:
    """Derive the statement once more, and compare."""
    statement = parse_json_object(payload)
    details = take(take(statement, "predicate"), "runDetails")
    wanted = derive_statement(
        manifest,
        manifest_file,
        load_json_object(directory / ENVIRONMENT),
        with_times=STARTED in take(details, "metadata"),
    )
    if canonical_json(wanted) == payload:
        return
    places = sorted(_find_differences(statement, wanted, ""))
    for place in places:
        yield Finding(envelope, f"says something else than the run: {place}")
    if not places:
        yield Finding(envelope, "is signed, but its statement is not canonical JSON")


def _find_differences(found: Any, wanted: Any, place: str) -> Iterator[str]:
    """Yield the dotted names of what two statements do not share, down to where they part."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in found.keys() | wanted.keys():
            inner = f"{place}.{name}" if place else name
            yield from _find_differences(found.get(name, ...), wanted.get(name, ...), inner)
    elif found is ... or wanted is ... or canonical_json(found) != canonical_json(wanted):
        yield place
