"""Keys that everybody knows, runs signed with them, and envelopes that somebody else might make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cxr.attestation.attest import sign_statement
from cxr.attestation.dsse import parse_envelope, render_envelope
from cxr.attestation.verify_attestation import verify_attestation
from cxr.compare.verify_run import verify_run
from cxr.digests.canonical import canonical_json
from cxr.records.manifest import REPEAT_SCHEMA, seal_manifest

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
STORED_RUN = Path(__file__).parents[1] / "formats" / "v0.1.0" / "run"
GOLDEN = Path(__file__).parents[1] / "golden" / "attestation.json"
"""What `SIGNER` signs of the stored run: the bytes are an interface."""


def wrap_in_repeat(run: Path, repeat: Path) -> Path:
    """Move a run into a new directory with the record of a repeat, whose only run it is."""
    repeat.mkdir()
    run.rename(repeat / "run-1")
    answer = seal_manifest({"schema": REPEAT_SCHEMA, "n": 1, "runs": ["run-1"]})
    (repeat / "repeat.json").write_text(json.dumps(answer), encoding="utf-8")
    return repeat


def render_private(key: Any, password: bytes | None = None) -> bytes:
    """Return a private key as PEM."""
    kept = forms.BestAvailableEncryption(password) if password else forms.NoEncryption()
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, kept)


def render_public(key: Any) -> bytes:
    """Return the public half of a private key as PEM."""
    public = key.public_key()
    return public.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)


def write_keys(directory: Path, key: Any = SIGNER, password: bytes | None = None) -> Path:
    """Write a private key as ``signer.pem``, and the public one beside it."""
    path = directory / "signer.pem"
    path.touch(mode=0o600)
    path.write_bytes(render_private(key, password))
    path.with_name("signer.pem.pub").write_bytes(render_public(key))
    return path


def read_statement(path: Path) -> dict[str, Any]:
    """Return what an envelope signs."""
    return json.loads(parse_envelope(path.read_bytes()).payload)


def sign_anew(path: Path, statement: Any, key: Ed25519PrivateKey = SIGNER) -> None:
    """Put another statement, or other bytes, into an envelope, validly signed."""
    payload = statement if isinstance(statement, bytes) else canonical_json(statement)
    path.write_bytes(render_envelope(sign_statement(payload, key)))


def find_problems(run: Path, path: Path, key: Ed25519PrivateKey = SIGNER) -> list[tuple[str, str]]:
    """Return what is wrong with a run and its attestation, as the command finds it."""
    findings = verify_run(run).findings
    found = verify_attestation(run, path, key.public_key(), is_consistent=not findings)
    return [(one.path, one.problem) for one in [*findings, *found.findings]]
