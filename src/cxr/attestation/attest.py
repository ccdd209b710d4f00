"""Signing what a run's files say of it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxr.atomic import create_file
from cxr.attestation.dsse import Envelope, Signature, encode_for_signing, render_envelope
from cxr.attestation.keys import derive_keyid
from cxr.attestation.place import find_place
from cxr.attestation.statement import PAYLOAD_TYPE, derive_statement
from cxr.bounded_file import read_bounded
from cxr.compare.sound_run import load_sound_run
from cxr.digests.canonical import canonical_json, digest_bytes
from cxr.digests.files import digest_file
from cxr.errors import RecordError, UsageError
from cxr.json_file import load_json_object
from cxr.records.free_place import require_outside_records
from cxr.records.repeat_record import find_first_run
from cxr.records.run_directory import ENVIRONMENT, MANIFEST

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MODE = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A signed statement about a run or an export.

    Attributes:
        path: Where it lies.
        keyid: Fingerprint of the key that signed.
        num_subjects: How many files it names.
        statement_digest: SHA-256 of the statement's bytes.
    """

    path: Path
    keyid: str
    num_subjects: int
    statement_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedStatement:
    """What can be signed of a run that was found to agree with its own records.

    Attributes:
        path: Where the envelope will lie.
        payload: The statement's bytes.
        num_subjects: How many files it names.
    """

    path: Path
    payload: bytes
    num_subjects: int

    def require_free(self) -> None:
        """Refuse a place where something stands, which no new key can have signed.

        Raises:
            UsageError: Something does.
        """
        if os.path.lexists(self.path):
            raise _describe_taken(self.path)

    def sign(self, key: Ed25519PrivateKey) -> Attestation:
        """Sign the statement and write its envelope.

        Raises:
            StorageError: It cannot be written.
            UsageError: Another attestation stands there.
        """
        envelope = sign_statement(self.payload, key)
        _write(self.path, render_envelope(envelope))
        return Attestation(
            path=self.path,
            keyid=envelope.signatures[0].keyid,
            num_subjects=self.num_subjects,
            statement_digest=digest_bytes(self.payload),
        )


def attest_run(
    directory: Path,
    key: Ed25519PrivateKey,
    *,
    out: Path | None = None,
    with_times: bool = False,
) -> Attestation:
    """Sign the provenance of a completed run that agrees with its own records.

    The same run and the same key give the same bytes. The run itself is not changed.

    Args:
        directory: The run directory.
        key: The private key.
        out: Where to write the envelope, instead of beside the run.
        with_times: Whether to sign as well when the run began and ended.

    Raises:
        RecordError: The run did not complete, or does not verify, or it is a repeat.
        RunDirectoryTakenError: The envelope would lie inside a record.
        StorageError: It cannot be written.
        UsageError: Another attestation stands there.
    """
    return prepare_statement(directory, out=out, with_times=with_times).sign(key)


def prepare_statement(
    directory: Path, *, out: Path | None = None, with_times: bool = False
) -> UnsignedStatement:
    """Return what `attest_run` signs; nothing is written, and no key is needed.

    Raises:
        RecordError: The run did not complete, or does not verify, or it is a repeat.
        RunDirectoryTakenError: The envelope would lie inside a record.
    """
    require_no_repeat(directory)
    path = find_place(directory) if out is None else out
    require_outside_records(path, what="attestation")
    manifest = load_sound_run(
        directory, refusal="the run is not signed, because it does not verify"
    )
    statement = derive_statement(
        manifest,
        digest_file(directory / MANIFEST),
        load_json_object(directory / ENVIRONMENT),
        with_times=with_times,
    )
    return UnsignedStatement(
        path=path, payload=canonical_json(statement), num_subjects=len(statement["subject"])
    )


def require_no_repeat(directory: Path) -> None:
    """Refuse a repeat, of which each run is signed by itself.

    Raises:
        RecordError: It is one.
    """
    if (first := find_first_run(directory)) is not None:
        # Beside a run of a repeat is inside of the repeat, so the place must be named.
        raise RecordError(
            "this is a repeat, which has no signature of its own",
            where=str(directory),
            hint="sign each of its runs by itself: "
            f"cxr attest {shlex.quote(str(first))} --key FILE --out FILE",
        )


def sign_statement(payload: bytes, key: Ed25519PrivateKey) -> Envelope:
    """Return the envelope of a statement with the one signature of ``key``."""
    sig = key.sign(encode_for_signing(PAYLOAD_TYPE, payload))
    keyid = derive_keyid(key.public_key())
    return Envelope(
        payload_type=PAYLOAD_TYPE,
        payload=payload,
        signatures=(Signature(keyid=keyid, sig=sig),),
    )


def _write(path: Path, content: bytes) -> None:
    """Write the envelope, unless these very bytes are there already."""
    try:
        create_file(path, content, mode=_MODE, option="--out")
    except FileExistsError:
        if not _holds(path, content):
            raise _describe_taken(path) from None


def _describe_taken(path: Path) -> UsageError:
    return UsageError(
        "another attestation, or something else, stands where this one would be written",
        where=str(path),
        hint="name another file with --out, or remove that one",
    )


def _holds(path: Path, content: bytes) -> bool:
    try:
        return read_bounded(path, max_bytes=len(content)) == content
    except OSError:
        return False
