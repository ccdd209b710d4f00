"""Signing as model-signing does: only what is sound, with a key that stays where it is."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path

import pytest

from cxr.attestation import model_signature
from cxr.attestation.export_signatures import sign_export
from cxr.attestation.model_signature import sign_model
from cxr.errors import RecordError
from support.attesting import render_private
from support.program import read_error, run_cxr
from support.signed_exports import P256, SIGNATURE, is_verified_there, write_export, write_p256

pytestmark = pytest.mark.extras


def test_an_export_that_does_not_verify_is_not_signed_and_no_key_is_made(tmp_path: Path):
    export = write_export(tmp_path)
    (export / "README.md").write_text("edited\n")
    asked = ("attest", export, "--new-key", tmp_path / "new.pem", "--p256")
    problem, _, _ = read_error(run_cxr(*asked), code=3)
    assert problem.startswith("the export does not verify: README.md")
    assert not (export / SIGNATURE).exists()
    assert not (tmp_path / "new.pem").exists()


def test_an_export_that_changes_while_it_is_signed_is_not_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    export, sign = write_export(tmp_path), model_signature._sign

    def sign_and_change(*arguments: object) -> bytes:
        content = sign(*arguments)
        (export / "README.md").write_text("edited\n")
        return content

    monkeypatch.setattr(model_signature, "_sign", sign_and_change)
    with pytest.raises(RecordError, match="the export was changed while it was signed"):
        sign_export(export, P256)
    assert not (export / SIGNATURE).exists()


def test_a_new_key_signs_and_nothing_of_it_is_said_or_left(tmp_path: Path):
    export, key, scratch = write_export(tmp_path), tmp_path / "new.pem", tmp_path / "scratch"
    scratch.mkdir()
    variables = {"CXR_KEY_PASSWORD": "correct horse", "TMPDIR": str(scratch), "CXR_TRACEBACK": "1"}
    made = run_cxr("attest", "--new-key", key, "--p256", env=variables)
    assert made.returncode == 0, made.stderr
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in key.read_bytes()
    read_error(run_cxr("attest", export, "--key", key), code=3)
    wrong = run_cxr("attest", export, "--key", key, env={**variables, "CXR_KEY_PASSWORD": "wrong"})
    read_error(wrong, code=2)
    signed = run_cxr("attest", export, "--key", key, "--json", env=variables)
    assert signed.returncode == 0, signed.stderr
    assert is_verified_there(export, tmp_path / "new.pem.pub")
    assert list(scratch.iterdir()) == []
    said = [made.stdout, made.stderr, wrong.stdout, wrong.stderr, signed.stdout, signed.stderr]
    bundle = (export / SIGNATURE).read_text()
    payload = base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]).decode()
    for secret in ("correct horse", *key.read_text().splitlines()[1:-1]):
        assert not any(secret in text for text in (*said, bundle, payload))


def test_no_key_lies_anywhere_in_the_clear_while_it_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from model_signing import signing

    seen, sign = [], signing.Config.sign

    def look(config: signing.Config, directory: Path, signature: Path) -> None:
        seen.extend(path.read_bytes() for path in Path(signature).parent.iterdir())
        sign(config, directory, signature)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(signing.Config, "sign", look)
    sign_model(write_export(tmp_path / "place"), P256)
    (kept,) = seen
    assert kept.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert not {*render_private(P256).splitlines()[1:-1]} & {*kept.splitlines()}


def test_nothing_goes_over_a_network(tmp_path: Path):
    export, key = write_export(tmp_path), write_p256(tmp_path)
    signed = run_cxr("attest", export, "--key", key, fault="no-network")
    assert (signed.returncode, signed.stderr) == (0, "")
    checked = run_cxr("verify", export, "--key", f"{key}.pub", fault="no-network")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("authenticated: ")
    # What does need one is stopped by it.
    fetched = run_cxr(
        "fetch", "a/b@v1", fault="no-network", env={"HF_ENDPOINT": "http://127.0.0.1:9"}
    )
    assert "the planted network was used: socket." in fetched.stderr
