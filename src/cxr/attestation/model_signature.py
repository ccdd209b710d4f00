"""Signing an export as OpenSSF model-signing does, and checking such a signature.

Both are the library's doing: what it signs, its command verifies, and the other way round. It is
given keys by path alone; so they lie in a directory of the process's own while it works, the
private one under a password that nobody else knows. Nothing of it goes over a network: that is for
signatures by identity, which are never asked for.
"""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxr.atomic import storage_errors
from cxr.attestation.export_statement import ExportAuthentication, derive_authentication
from cxr.attestation.keys import derive_keyid
from cxr.attestation.model_statement import (
    find_differences,
    list_signable,
    parse_payload,
    parse_signed_files,
)
from cxr.attestation.verify_attestation import read_envelope
from cxr.compare.verify_findings import Finding
from cxr.errors import IMPORT_FAULTS, InstallationError, RecordError
from cxr.release.layout import ATTESTATION, EXPORT_ATTESTATION, MODEL_SIGNATURE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

INSTALL: Final = (
    "install the optional extra: uv sync --extra model-signing, or pip install 'cxr[model-signing]'"
)
_REFUSALS: Final = (ValueError, KeyError, TypeError, RecursionError)
"""How the library refuses a statement: it takes what it needs without looking first."""
_LONGEST: Final = 200


def require_model_signing() -> None:
    """Refuse to go on without the library.

    Raises:
        InstallationError: It is missing, or cannot be loaded.
    """
    try:
        import model_signing  # noqa: F401 - asked for, not used
    except IMPORT_FAULTS as error:
        raise InstallationError(
            "a key on P-256, P-384 or P-521 needs the library model-signing, which is missing or "
            "cannot be loaded",
            where=type(error).__name__,
            hint=INSTALL,
        ) from error


def sign_model(directory: Path, key: EllipticCurvePrivateKey) -> bytes:
    """Return a signature of every file of an export but the one that it will lie in.

    It is checked before it is returned. Two signatures of the same files are not the same bytes,
    as ECDSA draws a number for each: one that is there already and is this key's stays.

    Args:
        directory: The export.
        key: The private key.

    Raises:
        InstallationError: The library is missing.
        RecordError: A file was changed meanwhile.
        StorageError: There is no room to work in.
    """
    require_model_signing()
    if (directory / MODEL_SIGNATURE).exists():
        found = verify_model_signature(directory, key.public_key())
        if not (found.findings or found.unsigned or found.unchecked):
            return (directory / MODEL_SIGNATURE).read_bytes()
    content = _sign(directory, key)
    if _check(content, directory, key.public_key()).findings:
        raise RecordError(
            "the export was changed while it was signed",
            where=str(directory),
            hint="sign it when nobody writes to it",
        )
    return content


def verify_model_signature(directory: Path, key: EllipticCurvePublicKey) -> ExportAuthentication:
    """Check ``model.sig`` of an export that verifies otherwise.

    Args:
        directory: The export; see `cxr.release.verify_export`, which is asked first.
        key: Whose signature it must be.

    Raises:
        InstallationError: The library is missing.
        RecordError: There is none, or it cannot be read.
        StorageError: There is no room to work in.
    """
    require_model_signing()
    path = directory / MODEL_SIGNATURE
    if not path.exists():
        raise RecordError(
            f"nothing is signed with a key of this kind: there is no {MODEL_SIGNATURE} in it",
            where=str(directory),
            hint="ask whoever published it for another key, or check it without --key",
        )
    try:
        content = read_envelope(path)
    except ValueError as error:
        return _refuse(f"is no signature of model-signing: {error}")
    return _check(content, directory, key)


def _sign(directory: Path, key: EllipticCurvePrivateKey) -> bytes:
    """Have the library sign, with a key that it can read for as long as it does."""
    from cryptography.hazmat.primitives import serialization as forms
    from model_signing import hashing, signing

    password = secrets.token_hex(32).encode("ascii")
    private = key.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(password)
    )
    place = Path(tempfile.gettempdir())
    with storage_errors(place, option="TMPDIR"), tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        (scratch / "private.pem").write_bytes(private)
        ignored = hashing.Config().set_ignored_paths(
            paths=[MODEL_SIGNATURE], ignore_git_paths=False
        )
        signer: Any = signing.Config().set_hashing_config(ignored)
        # The library says that a password is text, and hands it to one that asks for bytes.
        signer.use_elliptic_key_signer(private_key=scratch / "private.pem", password=password)
        # It takes no link for a directory.
        signer.sign(directory.resolve(), scratch / MODEL_SIGNATURE)
        return (scratch / MODEL_SIGNATURE).read_bytes()


def _check(content: bytes, directory: Path, key: EllipticCurvePublicKey) -> ExportAuthentication:
    """Check the signature of a key, and then that the files are those that were signed."""
    try:
        payload = parse_payload(content)
        signer = _read_signer(content)
    except ValueError as error:
        return _refuse(f"is no signature of model-signing: {error}")
    if signer != _derive_hint(key):
        return _refuse(f"is signed with another key than {derive_keyid(key)}")
    problem = _ask_library(content, payload, directory, key)
    if problem is not None:
        return _refuse(problem)
    try:
        files = parse_signed_files(payload)
    except ValueError as error:
        return _refuse(f"is signed, but {error}")
    present = list_signable(directory)
    return derive_authentication(
        present | {MODEL_SIGNATURE},
        {MODEL_SIGNATURE, *files},
        of_other_kind=(ATTESTATION, EXPORT_ATTESTATION),
    )


def _ask_library(
    content: bytes, payload: bytes, directory: Path, key: EllipticCurvePublicKey
) -> str | None:
    """Return what is wrong; nothing where the library verifies the signature and the files."""
    from cryptography.exceptions import InvalidSignature
    from model_signing import verifying

    place = Path(tempfile.gettempdir())
    with storage_errors(place, option="TMPDIR"), tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        (scratch / "public.pem").write_bytes(_render_public(key))
        # A copy: what was read here is what the library reads.
        (scratch / MODEL_SIGNATURE).write_bytes(content)
        asked = verifying.Config().use_elliptic_key_verifier(public_key=scratch / "public.pem")
        try:
            asked.verify(directory.resolve(), scratch / MODEL_SIGNATURE)
        except InvalidSignature:
            return "has no good signature of this key"
        except _REFUSALS as error:
            return _explain(error, payload, directory)
    return None


def _explain(error: Exception, payload: bytes, directory: Path) -> str:
    """Say in cxr's words why the library refuses: it lists differences as Python does."""
    try:
        others = find_differences(parse_signed_files(payload), directory)
    except ValueError as fault:
        return f"is signed, but {fault}"
    if others:
        said = "is of another export, or of this one before a file of it was changed"
        return f"{said}: {', '.join(others)}"[:_LONGEST]
    return f"is refused by model-signing: {type(error).__name__}: {error}"[:_LONGEST]


def _read_signer(content: bytes) -> str:
    """Return the digest of the signer's key, once the file is as the library writes it.

    What no signature covers would otherwise be open to everybody: spaces, names, a second one. One
    spelling stays open: of an ECDSA signature (r, s) anybody can make (r, n - s), n the order of
    the curve, which is as good a signature of the same bytes.

    Raises:
        ValueError: It is written otherwise.
    """
    from sigstore_models.bundle.v1 import Bundle

    try:
        bundle = Bundle.from_json(content)
    except ValueError:
        raise ValueError("it is no bundle of Sigstore, of version 0.3") from None
    material, envelope = bundle.verification_material, bundle.dsse_envelope
    if material.public_key is None or envelope is None:
        raise ValueError("it is not signed with a key of one's own")
    if material.tlog_entries or material.timestamp_verification_data is not None:
        raise ValueError("it holds more than a signature")
    if [one.keyid for one in envelope.signatures] != [""]:
        raise ValueError("it has not one signature, or that has a name")
    if bundle.to_json().encode("utf-8") != content:
        raise ValueError("it is not written as model-signing 1.1 writes it")
    return str(material.public_key.hint)


def _derive_hint(key: EllipticCurvePublicKey) -> str:
    """Return how model-signing names a key: SHA-256 of its PEM, where cxr takes its DER."""
    return hashlib.sha256(_render_public(key)).hexdigest()


def _render_public(key: EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives import serialization as forms

    return key.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)


def _refuse(problem: str) -> ExportAuthentication:
    return ExportAuthentication(
        findings=[Finding(MODEL_SIGNATURE, problem)], signed=[], unsigned=[]
    )
