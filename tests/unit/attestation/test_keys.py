"""What is no Ed25519 key is named, and never quoted."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519

from cxr.attestation.keys import (
    derive_keyid,
    is_open_to_others,
    load_private_key,
    load_public_key,
)
from cxr.errors import CxrError, ExitCode, RecordError, UsageError
from support.attesting import SIGNER, render_private, render_public, write_keys

OTHER_KINDS = {
    "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ECDSA": ec.generate_private_key(ec.SECP256R1()),
    "Ed448": ed448.Ed448PrivateKey.generate(),
    "X25519": x25519.X25519PrivateKey.generate(),
}


def ask_nobody(_: Path) -> None:
    """Stand for a process without a terminal."""


def test_nobody_is_asked_for_the_password_of_a_key_without_one(tmp_path: Path):
    def ask(path: Path) -> bytes:
        raise AssertionError(path)

    assert load_private_key(write_keys(tmp_path), ask).private_bytes_raw() == bytes(range(32))


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_key_of_another_kind_is_named_as_such(tmp_path: Path, kind: str):
    path = write_keys(tmp_path, OTHER_KINDS[kind])
    with pytest.raises(UsageError, match="a private key of another kind than Ed25519"):
        load_private_key(path, ask_nobody)
    with pytest.raises(UsageError, match="a public key of another kind than Ed25519"):
        load_public_key(path.with_name("signer.pem.pub"))


def test_one_half_is_not_taken_for_the_other(tmp_path: Path):
    path = write_keys(tmp_path)
    with pytest.raises(UsageError, match="this is a private key, and it is the public one"):
        load_public_key(path)
    with pytest.raises(UsageError, match="this is a public key, and it is the private one"):
        load_private_key(path.with_name("signer.pem.pub"), ask_nobody)
    both = tmp_path / "both.pem"
    both.write_bytes(render_public(SIGNER) + render_private(SIGNER))
    with pytest.raises(UsageError, match="this is a private key"):
        load_public_key(both)


OPEN_SSH = SIGNER.private_bytes(
    forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, forms.NoEncryption()
)
PRIVATE = render_private(SIGNER)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SECRETSECRET",
        OPEN_SSH,
        PRIVATE[:60],
        PRIVATE.replace(b"BCIEIA", b"BCIFIA"),
        PRIVATE.replace(b"-----END PRIVATE KEY-----", b""),
        b"-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nSECRETSECRET\n-----END ENCRYPTED PRIVATE KEY-----",
        SIGNER.private_bytes_raw(),
        b"\xff" * 100,
    ],
    ids=lambda content: content[:20].decode("ascii", "replace"),
)
def test_a_damaged_key_is_refused_and_not_quoted(tmp_path: Path, content: bytes):
    path = tmp_path / "key"
    path.write_bytes(content)
    for load in (lambda: load_private_key(path, ask_nobody), lambda: load_public_key(path)):
        with pytest.raises(UsageError) as caught:
            load()
        assert caught.value.exit_code is ExitCode.USAGE
        said = repr(caught.value) + str(caught.value)
        assert "SECRET" not in said
        # A library's error might quote what it read, in a traceback that shows where it came from.
        assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("what", ["missing", "directory", "pipe", "huge"])
def test_what_is_no_key_file_cannot_be_read(tmp_path: Path, what: str):
    path = tmp_path / "key"
    if what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "huge":
        with path.open("wb") as stream:
            stream.truncate(2**30)
    for load in (lambda: load_private_key(path, ask_nobody), lambda: load_public_key(path)):
        with pytest.raises(RecordError, match="cannot read the key") as caught:
            load()
        assert isinstance(caught.value, CxrError)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_may_use_is_noticed(tmp_path: Path, mode: int):
    path = write_keys(tmp_path)
    path.chmod(mode)
    assert is_open_to_others(path)
    path.chmod(0o400)
    assert not is_open_to_others(path)


def test_the_fingerprint_is_that_of_the_key_as_other_tools_write_it():
    # Source: RFC 8410, section 10.1, has the first 12 bytes: SEQUENCE, OID 1.3.101.112, BIT STRING.
    der = bytes.fromhex("302a300506032b6570032100") + SIGNER.public_key().public_bytes_raw()
    assert derive_keyid(SIGNER.public_key()) == f"sha256:{hashlib.sha256(der).hexdigest()}"
    assert isinstance(SIGNER, ed25519.Ed25519PrivateKey)
