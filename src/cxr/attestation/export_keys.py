"""Keys that sign exports: Ed25519, as runs have, or ECDSA on a curve that model-signing takes.

The kind of the key decides which signature it makes, and which one is checked with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxr.attestation.keys import (
    AskPassword,
    describe_wrong_key,
    parse_private_key,
    parse_public_key,
)

if TYPE_CHECKING:
    from cxr.attestation.keys import ExportPrivateKey, ExportPublicKey

_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
"""Source: model-signing 1.1.1, ``_signing/sign_ec_key.py``."""
_KINDS: Final = "Ed25519, or ECDSA on P-256, P-384 or P-521"


def load_export_public_key(path: Path) -> ExportPublicKey:
    """Read a public key of either kind.

    Raises:
        InstallationError: The library is missing.
        RecordError: The file cannot be read.
        UsageError: It holds no public key of these kinds.
    """
    key: Any = parse_public_key(path)
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return key
    raise describe_wrong_key(path, "public", is_damaged=key is None, wanted=_KINDS)


def load_export_private_key(path: Path, ask: AskPassword) -> ExportPrivateKey:
    """Read a private key of either kind.

    Args:
        path: A PEM file.
        ask: Asked for the password if the key has one.

    Raises:
        InstallationError: The library is missing.
        RecordError: The file cannot be read, or nobody knows the password.
        UsageError: It holds no private key of these kinds, or the password is another one.
    """
    key: Any = parse_private_key(path, ask)
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key
    raise describe_wrong_key(path, "private", is_damaged=key is None, wanted=_KINDS)
