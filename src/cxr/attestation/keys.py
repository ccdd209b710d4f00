"""Ed25519 keys in PEM files: made, read, and known by a fingerprint.

No error says what a library found inside a key file, and none carries the library's own error: it
might quote what it read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxr.atomic import create_file
from cxr.bounded_file import read_bounded
from cxr.digests.canonical import digest_bytes
from cxr.errors import IMPORT_FAULTS, InstallationError, RecordError, UsageError
from cxr.records.free_place import require_outside_records

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

INSTALL: Final = "install the optional extra: uv sync --extra attest, or pip install 'cxr[attest]'"
ASKED_VARIABLE: Final = "CXR_KEY_PASSWORD"
"""Holds a key's password. Under a plainer name this line would look like a secret, and a run's
sources with it, which are then packed nowhere.
"""
PUBLIC_SUFFIX: Final = ".pub"

_MAX_KEY_BYTES: Final = 64 * 2**10
_PRIVATE_MODE: Final = 0o600
_PUBLIC_MODE: Final = 0o644
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


def derive_keyid(key: Ed25519PublicKey) -> str:
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
    require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _read(path)
    if b"PRIVATE KEY" in content:
        raise UsageError(
            "this is a private key, and it is the public one that signatures are checked with",
            where=str(path),
            hint=f"name the file that ends in {PUBLIC_SUFFIX}, and keep this one to yourself",
        )
    try:
        key: Any = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise _describe_wrong_key(path, "public", is_damaged=key is None)
    return key


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
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    content = _read(path)
    if b"PUBLIC KEY" in content and b"PRIVATE KEY" not in content:
        raise UsageError(
            "this is a public key, and it is the private one that signs",
            where=str(path),
            hint=_NEW_KEY,
        )
    key = _parse_private_key(content, path, ask)
    if not isinstance(key, Ed25519PrivateKey):
        raise _describe_wrong_key(path, "private", is_damaged=key is None)
    return key


def _parse_private_key(content: bytes, path: Path, ask: AskPassword) -> Any:
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


def create_key(path: Path, password: bytes | None) -> Ed25519PrivateKey:
    """Make a key: the private one in ``path``, for its owner alone, the public one beside it.

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
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    require_outside_records(path, what="key", option="--new-key")
    key = Ed25519PrivateKey.generate()
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
    try:
        _create(path, private, _PRIVATE_MODE)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return key


def name_public_key(path: Path) -> Path:
    """Return where the public key of a new private one is written."""
    return path.with_name(f"{path.name}{PUBLIC_SUFFIX}")


def is_open_to_others(path: Path) -> bool:
    """Say whether anybody but its owner may use a file, where the system knows owners."""
    return os.name == "posix" and bool(path.stat().st_mode & _OTHERS)


def _create(path: Path, content: bytes, mode: int) -> None:
    try:
        create_file(path, content, mode=mode, option="--new-key")
    except FileExistsError:
        raise UsageError(
            "something stands where the key would be written",
            where=str(path),
            hint="name another file with --new-key; a key is never written over",
        ) from None


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, max_bytes=_MAX_KEY_BYTES)
    except OSError as error:
        raise RecordError(
            f"cannot read the key: {error.strerror or error}",
            where=str(path),
            hint="check the path and its permissions",
        ) from None


def _describe_wrong_key(path: Path, side: str, *, is_damaged: bool) -> UsageError:
    return UsageError(
        f"this is no {side} key in PEM, or a damaged one"
        if is_damaged
        else f"this is a {side} key of another kind than Ed25519",
        where=str(path),
        hint=_NEW_KEY if side == "private" else "name the public key of whoever signed",
    )
