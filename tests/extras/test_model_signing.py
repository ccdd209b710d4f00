"""What cxr signs, OpenSSF model-signing's own command verifies, and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cxr.attestation.export_signatures import sign_export, verify_export_signatures
from cxr.attestation.keys import derive_keyid
from cxr.attestation.model_signature import sign_model
from support.attesting import SIGNER, write_keys
from support.program import read_answer, read_error, run_cxr
from support.runs import HEAVY
from support.signed_exports import (
    NUM_FILES,
    P256,
    SIGNATURE,
    is_verified_there,
    list_check,
    run_model_signing,
    write_export,
    write_p256,
)

pytestmark = pytest.mark.extras

KEYID = derive_keyid(P256.public_key())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export that the program signed, ``export``, and the key, ``signer.pem``."""
    place = tmp_path_factory.mktemp("signed")
    export, key = write_export(place), write_p256(place)
    finished = run_cxr("attest", export, "--key", key, blocked=HEAVY)
    assert (finished.returncode, finished.stderr) == (0, "")
    said = f"attested: {NUM_FILES} files, in {export / SIGNATURE}\nkey  {KEYID}\n"
    assert finished.stdout == said
    return place


def test_the_command_verifies_what_cxr_signed_and_so_does_cxr(place: Path):
    export, public = place / "export", place / "signer.pem.pub"
    theirs = run_model_signing(*list_check(export, public))
    assert (theirs.returncode, theirs.stdout) == (0, "Verification succeeded\n")
    ours = run_cxr("verify", export, "--key", public, "--json", blocked=HEAVY)
    assert (ours.returncode, ours.stderr) == (0, "")
    assert read_answer(ours) == {
        "run": str(export),
        "verdict": "authenticated",
        "authenticated": True,
        "status": "completed",
        "files": NUM_FILES,
        "evaluations": 0,
        "findings": [],
        "signed_files": NUM_FILES + 1,
        "keyid": KEYID,
        "attestation": str(export / SIGNATURE),
    }


def test_cxr_verifies_what_the_command_signed(tmp_path: Path):
    export, key = write_export(tmp_path), write_p256(tmp_path)
    asked = ["sign", "key", export, "--private_key", key, "--signature", export / SIGNATURE]
    assert run_model_signing(*asked).returncode == 0
    finished = run_cxr("verify", export, "--key", f"{key}.pub")
    assert finished.stdout == (
        f"authenticated: {NUM_FILES + 1} files, all digests agree; status completed\n"
        f"signed with  {KEYID}\n"
    )
    assert run_model_signing(*asked, "--ignore-paths", export / "README.md").returncode == 0
    finished = run_cxr("verify", export, "--key", f"{key}.pub")
    assert finished.returncode == 0
    assert finished.stdout.splitlines()[:2] == [
        f"authenticated in part: {NUM_FILES} files, all digests agree; status completed",
        "not signed   README.md",
    ]


def test_a_signature_that_another_signature_leaves_out_is_kept_apart_from_what_is_used(
    tmp_path: Path,
):
    export, key = write_export(tmp_path), write_p256(tmp_path)
    sign_export(export, SIGNER)
    asked = ["sign", "key", export, "--private_key", key, "--signature", export / SIGNATURE]
    left_out = export / "export.attestation.json"
    assert run_model_signing(*asked, "--ignore-paths", left_out).returncode == 0
    for signer, other in ((P256, left_out.name), (SIGNER, SIGNATURE)):
        found = verify_export_signatures(export, signer.public_key())
        assert (found.findings, found.unsigned, len(found.signed)) == ([], [], NUM_FILES + 1)
        assert [one.path for one in found.unchecked] == [other]
    # Such a one is not whole, and is made anew where this key signs.
    assert sign_export(export, P256).num_subjects == NUM_FILES + 1


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda one: one.name)
def test_every_curve_of_model_signing_signs(tmp_path: Path, curve: ec.EllipticCurve):
    export, key = write_export(tmp_path), ec.derive_private_key(7, curve)
    public = write_p256(tmp_path, key).with_name("signer.pem.pub")
    assert sign_export(export, key).num_subjects == NUM_FILES
    found = verify_export_signatures(export, key.public_key())
    assert (found.findings, found.unsigned, len(found.signed)) == ([], [], NUM_FILES + 1)
    assert is_verified_there(export, public)


def test_an_export_is_signed_and_checked_through_a_link(tmp_path: Path):
    (tmp_path / "link").symlink_to(write_export(tmp_path))
    sign_export(tmp_path / "link", P256)
    found = verify_export_signatures(tmp_path / "link", P256.public_key())
    assert (found.findings, found.unsigned, len(found.signed)) == ([], [], NUM_FILES + 1)


def test_a_signature_that_is_not_there_could_not_be_checked(tmp_path: Path):
    export, key = write_export(tmp_path), write_p256(tmp_path)
    finished = run_cxr("verify", export, "--key", f"{key}.pub")
    problem, _, _ = read_error(finished, code=3)
    assert problem == "nothing is signed with a key of this kind: there is no model.sig in it"


def test_it_is_the_last_signature_and_covers_the_other(tmp_path: Path):
    export = write_export(tmp_path)
    cxr_key, model_key = write_keys(tmp_path), write_p256(tmp_path / "model")
    for key in (cxr_key, model_key):
        assert run_cxr("attest", export, "--key", key, "-q").returncode == 0
    assert is_verified_there(export, model_key.with_name("signer.pem.pub"))
    whole = verify_export_signatures(export, P256.public_key())
    assert (whole.findings, whole.unsigned, len(whole.signed)) == ([], [], NUM_FILES + 2)
    assert whole.unchecked == []
    (export / "export.attestation.json").unlink()
    (export / SIGNATURE).unlink()
    assert run_cxr("attest", export, "--key", model_key, "-q").returncode == 0
    before = (export / SIGNATURE).read_bytes()
    for key in (cxr_key, model_key):
        problem, _, hint = read_error(run_cxr("attest", export, "--key", key), code=2)
        assert problem == "the export is signed already: model.sig is there"
        assert hint == "remove model.sig to sign it again"
    assert (export / SIGNATURE).read_bytes() == before
    assert sign_model(export, P256) == before
