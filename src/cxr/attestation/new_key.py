"""Making a key: the private one for its owner alone, the public one for those who check."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxr.atomic import create_file
from cxr.attestation.keys import PUBLIC_SUFFIX, require_cryptography
from cxr.errors import UsageError
from cxr.records.free_place import require_outside_records

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from cxr.attestation.keys import ExportPrivateKey

_PRIVATE_MODE: Final = 0o600
_PUBLIC_MODE: Final = 0o644


def create_key(path: Path, password: bytes | None) -> Ed25519PrivateKey:
    """Make an Ed25519 key, which signs runs and exports.

    Args:
        path: Where; what stands there, or at ``<path>.pub``, is never written over.
        password: To keep the private key under, or nothing.

    Raises:
        InstallationError: The library is missing.
        RunDirectoryTakenError: It would lie inside a record.
        StorageError: It cannot be written.
        UsageError: Something stands there.
    """
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    _write_pair(path, key, password)
    return key


def create_p256_key(path: Path, password: bytes | None) -> EllipticCurvePrivateKey:
    """Make an ECDSA key on the curve P-256, which signs exports as model-signing does.

    Arguments and errors are those of `create_key`.
    """
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    _write_pair(path, key, password)
    return key


def name_public_key(path: Path) -> Path:
    """Return where the public key of a new private one is written."""
    return path.with_name(f"{path.name}{PUBLIC_SUFFIX}")


def _write_pair(path: Path, key: ExportPrivateKey, password: bytes | None) -> None:
    """Write both halves of a key, or neither."""
    from cryptography.hazmat.primitives import serialization as forms

    require_outside_records(path, what="key", option="--new-key")
    private = key.private_bytes(
        forms.Encoding.PEM,
        forms.PrivateFormat.PKCS8,
        forms.BestAvailableEncryption(password) if password else forms.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo
    )
    beside = name_public_key(path)
    # The public one first: half of a pair that was not finished is then the half without a secret.
    _create(beside, public, _PUBLIC_MODE)
    with contextlib.ExitStack() as undone:
        undone.callback(beside.unlink, missing_ok=True)
        _create(path, private, _PRIVATE_MODE)
        undone.pop_all()


def _create(path: Path, content: bytes, mode: int) -> None:
    try:
        create_file(path, content, mode=mode, option="--new-key")
    except FileExistsError:
        raise UsageError(
            "something stands where the key would be written",
            where=str(path),
            hint="name another file with --new-key; a key is never written over",
        ) from None
