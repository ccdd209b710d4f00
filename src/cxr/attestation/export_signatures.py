"""Signing an export, and checking who did: what kind a key is decides how.

An Ed25519 key makes cxr's own statement about the export, one on a curve of NIST a signature that
model-signing's command verifies as well. Neither is named by the export's record, which both sign.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cxr.atomic import write_bytes
from cxr.attestation.attest import Attestation, sign_statement
from cxr.attestation.dsse import parse_envelope, render_envelope
from cxr.attestation.export_statement import (
    ExportAuthentication,
    derive_export_statement,
    verify_export_attestations,
)
from cxr.attestation.keys import derive_keyid
from cxr.attestation.model_signature import (
    require_model_signing,
    sign_model,
    verify_model_signature,
)
from cxr.attestation.model_statement import find_differences, parse_payload, parse_signed_files
from cxr.attestation.verify_attestation import read_envelope
from cxr.digests.canonical import canonical_json, digest_bytes
from cxr.errors import RecordError, UsageError
from cxr.release.layout import EXPORT_ATTESTATION, MODEL_SIGNATURE
from cxr.release.verify_export import load_sound_export

if TYPE_CHECKING:
    from cxr.attestation.keys import ExportPrivateKey, ExportPublicKey


def name_signature(key: ExportPublicKey) -> str:
    """Return the file that signatures of this kind of key lie in."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return EXPORT_ATTESTATION if isinstance(key, Ed25519PublicKey) else MODEL_SIGNATURE


def require_library(key: ExportPublicKey) -> None:
    """Refuse to go on without the library that this kind of key needs.

    Raises:
        InstallationError: It is missing.
    """
    if name_signature(key) == MODEL_SIGNATURE:
        require_model_signing()


def require_signable(directory: Path, name: str) -> None:
    """Refuse an export that does not verify, or that was signed already.

    Args:
        directory: The export.
        name: The file that the signature will lie in.

    Raises:
        InstallationError: The library that writes it is missing.
        RecordError: It is no export, or does not verify.
        UsageError: A signature is there that this one would replace, or break.
    """
    if name == MODEL_SIGNATURE:
        require_model_signing()
    load_sound_export(directory)
    # model.sig names every other file, so nothing comes after it.
    for there in (name, MODEL_SIGNATURE):
        if os.path.lexists(directory / there):
            raise UsageError(
                f"the export is signed already: {there} is there",
                where=str(directory),
                hint=f"remove {there} to sign it again",
            )


def sign_export(directory: Path, key: ExportPrivateKey) -> Attestation:
    """Sign every file of an export that verifies, in a file of the export.

    A good signature of this very key is left as it is; another one of its kind is replaced. The
    export is verified here, however lately somebody did: a key was made or asked for since.

    Raises:
        InstallationError: The library that the key needs is missing.
        RecordError: The export does not verify, or a file was changed meanwhile.
        StorageError: It cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    load_sound_export(directory)
    if isinstance(key, Ed25519PrivateKey):
        statement = derive_export_statement(directory)
        num_files, payload = len(statement["subject"]), canonical_json(statement)
        content = render_envelope(sign_statement(payload, key))
    else:
        content = sign_model(directory, key)
        payload = parse_payload(content)
        num_files = len(parse_signed_files(payload))
    path = directory / name_signature(key.public_key())
    write_bytes(path, content)
    return Attestation(
        path=path,
        keyid=derive_keyid(key.public_key()),
        num_subjects=num_files,
        statement_digest=digest_bytes(payload),
    )


def verify_export_signatures(directory: Path, key: ExportPublicKey) -> ExportAuthentication:
    """Check the signatures of a key in an export that verifies otherwise.

    Args:
        directory: The export; see `cxr.release.verify_export`, which is asked first.
        key: Whose signatures they must be.

    Raises:
        InstallationError: The library that the key needs is missing.
        RecordError: Nothing in it is signed with a key of this kind.
        StorageError: There is no room to work in.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if isinstance(key, Ed25519PublicKey):
        return verify_export_attestations(directory, key)
    return verify_model_signature(directory, key)


def require_current_signatures(directory: Path) -> None:
    """Refuse an export whose signatures, whoever's they are, sign other files than are in it.

    That shows carelessness, not forgery: no key is asked for.

    Raises:
        RecordError: One of them does.
    """
    for name, is_current in (
        (EXPORT_ATTESTATION, _is_current_statement),
        (MODEL_SIGNATURE, _is_current_model_signature),
    ):
        if not os.path.lexists(directory / name):
            continue
        try:
            current = is_current(directory, read_envelope(directory / name))
        except ValueError:
            current = False
        if not current:
            raise RecordError(
                f"{name} does not sign what would be published",
                where=name,
                hint="give the key with --key, which signs last; or remove it from the export",
            )


def _is_current_statement(directory: Path, content: bytes) -> bool:
    return parse_envelope(content).payload == canonical_json(derive_export_statement(directory))


def _is_current_model_signature(directory: Path, content: bytes) -> bool:
    return not find_differences(parse_signed_files(parse_payload(content)), directory)
