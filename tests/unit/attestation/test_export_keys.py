"""Which keys sign exports, and in which file their signatures lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from cxr.attestation.export_keys import load_export_private_key, load_export_public_key
from cxr.attestation.export_signatures import name_signature
from cxr.errors import UsageError
from support.attesting import write_keys

KINDS = {
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
}
OTHER_KINDS = {
    "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "P-224": ec.generate_private_key(ec.SECP224R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "Ed448": ed448.Ed448PrivateKey.generate(),
}


def ask_nobody(_: Path) -> None:
    """Stand for a process without a terminal."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_kinds_that_sign_exports_are_read(tmp_path: Path, kind: str):
    path = write_keys(tmp_path, KINDS[kind])
    private = load_export_private_key(path, ask_nobody)
    public = load_export_public_key(path.with_name("signer.pem.pub"))
    assert private.public_key() == public == KINDS[kind].public_key()
    wanted = "export.attestation.json" if kind == "Ed25519" else "model.sig"
    assert name_signature(public) == wanted


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_key_of_another_kind_is_named_as_such(tmp_path: Path, kind: str):
    path = write_keys(tmp_path, OTHER_KINDS[kind])
    said = "of another kind than Ed25519, or ECDSA on P-256, P-384 or P-521"
    with pytest.raises(UsageError, match=f"a private key {said}"):
        load_export_private_key(path, ask_nobody)
    with pytest.raises(UsageError, match=f"a public key {said}"):
        load_export_public_key(path.with_name("signer.pem.pub"))
