"""Keys in PEM files: read, and known by a fingerprint. Those that sign runs are Ed25519.

`cxr.attestation.export_keys` reads those that sign exports, which may be of another kind.

No error says what a library found inside a key file, and none carries the library's own error: it
might quote what it read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxr.bounded_file import read_bounded
from cxr.digests.canonical import digest_bytes
from cxr.errors import IMPORT_FAULTS, InstallationError, RecordError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    ExportPrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey
    ExportPublicKey = Ed25519PublicKey | EllipticCurvePublicKey

INSTALL: Final = "install the optional extra: uv sync --extra attest, or pip install 'cxr[attest]'"
ASKED_VARIABLE: Final = "CXR_KEY_PASSWORD"
"""Holds a key's password. Under a plainer name this line would look like a secret, and a run's
sources with it, which are then packed nowhere.
"""
PUBLIC_SUFFIX: Final = ".pub"

_MAX_KEY_BYTES: Final = 64 * 2**10
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_NEW_KEY: Final = "make a key with cxr attest --new-key FILE"

AskPassword = Callable[[Path], bytes | None]
"""Returns the password of a key file, or nothing where nobody can be asked."""


def require_cryptography() -> None:
    """Refuse to go on without the library that signs.

    Raises:
        InstallationError: It is missing, or cannot be loaded.
    """
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401 - asked for, not used
    except IMPORT_FAULTS as error:
        raise InstallationError(
            "signatures need the library cryptography, which is missing or cannot be loaded",
            where=type(error).__name__,
            hint=INSTALL,
        ) from error


def derive_keyid(key: ExportPublicKey) -> str:
    """Return a key's fingerprint: SHA-256 of its SubjectPublicKeyInfo in DER.

    ``openssl pkey -pubin -in FILE -outform DER | sha256sum`` gives the same digits.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return digest_bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        InstallationError: The library is missing.
        RecordError: The file cannot be read.
        UsageError: It holds no public Ed25519 key.
    """
    key = parse_public_key(path)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not isinstance(key, Ed25519PublicKey):
        raise describe_wrong_key(path, "public", is_damaged=key is None)
    return key


def parse_public_key(path: Path) -> Any:
    """Return the public key of any kind that a PEM file holds; nothing where it holds none.

    Raises:
        InstallationError: The library is missing.
        RecordError: The file cannot be read.
        UsageError: It holds a private key.
    """
    require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _read(path)
    if b"PRIVATE KEY" in content:
        raise UsageError(
            "this is a private key, and it is the public one that signatures are checked with",
            where=str(path),
            hint=f"name the file that ends in {PUBLIC_SUFFIX}, and keep this one to yourself",
        )
    try:
        return load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        return None


def load_private_key(path: Path, ask: AskPassword) -> Ed25519PrivateKey:
    """Read a private key.

    Args:
        path: A PEM file, PKCS #8.
        ask: Asked for the password if the key has one.

    Raises:
        InstallationError: The library is missing.
        RecordError: The file cannot be read, or nobody knows the password.
        UsageError: It holds no private Ed25519 key, or the password is another one.
    """
    key = parse_private_key(path, ask)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not isinstance(key, Ed25519PrivateKey):
        raise describe_wrong_key(path, "private", is_damaged=key is None)
    return key


def parse_private_key(path: Path, ask: AskPassword) -> Any:
    """Return the private key of any kind that a PEM file holds; nothing where it holds none.

    Raises:
        InstallationError: The library is missing.
        RecordError: The file cannot be read, or nobody knows the password.
        UsageError: It holds a public key, or the password is another one.
    """
    require_cryptography()
    content = _read(path)
    if b"PUBLIC KEY" in content and b"PRIVATE KEY" not in content:
        raise UsageError(
            "this is a public key, and it is the private one that signs",
            where=str(path),
            hint=_NEW_KEY,
        )
    return _open_private_key(content, path, ask)


def _open_private_key(content: bytes, path: Path, ask: AskPassword) -> Any:
    """Return the private key of a PEM file; nothing where it holds none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(content, password=None)
    except (ValueError, UnsupportedAlgorithm):
        return None
    except TypeError:
        password = ask(path)
    if password is None:
        raise RecordError(
            "the key has a password, and there is no terminal to ask for it",
            where=str(path),
            hint=f"put the password into the variable {ASKED_VARIABLE}",
        )
    try:
        return load_pem_private_key(content, password=password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(
            "the password does not open this key, or the file is damaged",
            where=str(path),
            hint=f"type it again, or correct the variable {ASKED_VARIABLE}",
        ) from None


def is_open_to_others(path: Path) -> bool:
    """Say whether anybody but its owner may use a file, where the system knows owners."""
    return os.name == "posix" and bool(path.stat().st_mode & _OTHERS)


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, max_bytes=_MAX_KEY_BYTES)
    except OSError as error:
        raise RecordError(
            f"cannot read the key: {error.strerror or error}",
            where=str(path),
            hint="check the path and its permissions",
        ) from None


def describe_wrong_key(
    path: Path, side: str, *, is_damaged: bool, wanted: str = "Ed25519"
) -> UsageError:
    """Return the error about a key that is none, or of another kind.

    Args:
        path: The file.
        side: Which half was asked for: public or private.
        is_damaged: Whether it holds no key at all.
        wanted: The kinds that would have done.
    """
    return UsageError(
        f"this is no {side} key in PEM, or a damaged one"
        if is_damaged
        else f"this is a {side} key of another kind than {wanted}",
        where=str(path),
        hint=_NEW_KEY if side == "private" else "name the public key of whoever signed",
    )
