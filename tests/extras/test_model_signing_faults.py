"""What is wrong with a signature of model-signing is named by cxr, and refused by its command."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.testing
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from cxr.attestation.export_signatures import sign_export
from cxr.attestation.keys import derive_keyid
from cxr.attestation.model_signature import sign_model, verify_model_signature
from cxr.cli.app import app
from support.releases import seal_anew
from support.signed_exports import (
    NUM_FILES,
    OTHER_P256,
    P256,
    SIGNATURE,
    is_verified_there,
    write_export,
    write_p256,
)

pytestmark = pytest.mark.extras

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve's group. Source: FIPS 186-4, D.1.2.3."""
KEYID = derive_keyid(P256.public_key())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export, signed, and the public key beside it."""
    place = tmp_path_factory.mktemp("whole")
    write_p256(place)
    export = write_export(place)
    sign_export(export, P256)
    return export


@pytest.fixture
def signed(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    shutil.copy(whole.with_name("signer.pem.pub"), tmp_path)
    return Path(shutil.copytree(whole, tmp_path / "export"))


def check(export: Path, public: Path | None = None) -> str:
    """Return what ``cxr verify`` says of an export that is not the signed one."""
    asked = ["verify", export, "--key", public or export.with_name("signer.pem.pub")]
    finished = typer.testing.CliRunner().invoke(app, [str(one) for one in asked])
    assert finished.exit_code == 1, finished.output
    assert "authenticated" not in finished.output
    return finished.output


def test_a_changed_byte_in_any_file_is_named_here_and_refused_there(signed: Path):
    public = signed.with_name("signer.pem.pub")
    assert is_verified_there(signed, public)
    names = sorted(path.name for path in signed.iterdir())
    assert len(names) == NUM_FILES + 1
    for name in names:
        before = (signed / name).read_bytes()
        # A digit of a number or a digest: the file can still be read.
        place = max(before.rfind(digit) for digit in (b"0", b"2", b"4", b"6", b"8"))
        place = place if place >= 0 else len(before) // 2
        (signed / name).write_bytes(
            before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :]
        )
        assert f"  {name}: " in check(signed), name
        assert not is_verified_there(signed, public), name
        (signed / name).write_bytes(before)
    assert is_verified_there(signed, public)


def other_export(export: Path) -> None:
    other = write_export(export.parent / "other", weight=0.75)
    (export / SIGNATURE).write_bytes(sign_model(other, P256))


def other_card(export: Path) -> None:
    (export / "README.md").write_text("Approved for clinical use.\n")
    seal_anew(export)


def other_key(export: Path) -> None:
    (export / SIGNATURE).unlink()
    (export / SIGNATURE).write_bytes(sign_model(export, OTHER_P256))


def write(content: bytes) -> Callable[[Path], object]:
    return lambda export: (export / SIGNATURE).write_bytes(content)


def write_below(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("\n")


FAULTS = {
    "another export's": (other_export, f"{SIGNATURE}: is of another export, or of this one "),
    "swapped card": (other_card, f"{SIGNATURE}: is of another export, or of this one "),
    "other key": (other_key, f"{SIGNATURE}: is signed with another key than {KEYID}"),
    "more": (lambda export: (export / "run.py").write_text("\n"), "run.py: was added"),
    "more that is passed over": (
        lambda export: (export / ".DS_Store").write_text("\n"),
        "before a file of it was changed: .DS_Store",
    ),
    "more below": (
        lambda export: write_below(export / "evaluations" / "1"),
        "before a file of it was changed: evaluations/1",
    ),
    "one less": (lambda export: (export / "README.md").unlink(), "README.md: is missing"),
    "truncated": (
        lambda export: (export / SIGNATURE).write_bytes((export / SIGNATURE).read_bytes()[:-40]),
        f"{SIGNATURE}: is no signature of model-signing: it is not JSON",
    ),
    "empty": (write(b""), f"{SIGNATURE}: is no signature of model-signing: it is not JSON"),
    "no JSON": (
        write(b"\xff\0"),
        f"{SIGNATURE}: is no signature of model-signing: it is not UTF-8",
    ),
    "no object": (write(b"[]"), f"{SIGNATURE}: is no signature of model-signing: it is not a JSON"),
    "no bundle": (
        write(b"{}"),
        f"{SIGNATURE}: is no signature of model-signing: it has no payload",
    ),
    "too large": (
        lambda export: os.truncate(export / SIGNATURE, 2**30),
        f"{SIGNATURE}: is no signature of model-signing: it is larger than",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_the_signed_export_is_named_here_and_refused_there(signed: Path, fault: str):
    spoil, said = FAULTS[fault]
    spoil(signed)
    assert said in check(signed)
    if fault != "too large":
        assert not is_verified_there(signed, signed.with_name("signer.pem.pub"))


def test_an_edited_signature_is_refused_though_no_key_covers_what_was_edited(signed: Path):
    whole = (signed / SIGNATURE).read_text()
    bundle = json.loads(whole)
    material, envelope = bundle["verificationMaterial"], bundle["dsseEnvelope"]
    (signature,) = envelope["signatures"]
    signed_bytes = base64.b64decode(signature["sig"])
    edits = [
        f"{whole}\n",
        json.dumps(bundle),
        whole.replace('"keyid":""', '"keyid":"me"'),
        whole.replace('"keyid":""', '"keyid":"","keyid":""'),
        json.dumps({**bundle, "more": 1}, separators=(",", ":")),
        json.dumps({**bundle, "verificationMaterial": {**material, "tlogEntries": [{}]}}),
        whole.replace(material["publicKey"]["hint"], ""),
        whole.replace('"hint"', '"Hint"'),
        whole.replace("v0.3+json", "v0.2+json"),
        whole.replace("in-toto", "in-tota"),
        whole.replace(signature["sig"], base64.b64encode(signed_bytes[:-1]).decode()),
        whole.replace("}]}}", "}," + json.dumps(signature, separators=(",", ":")) + "]}}"),
        whole.replace(f'"{envelope["payload"]}"', "null"),
    ]
    assert whole not in edits
    for edit in edits:
        (signed / SIGNATURE).write_text(edit)
        (finding,) = verify_model_signature(signed, P256.public_key()).findings
        assert finding.path == SIGNATURE


def test_the_other_form_of_an_ecdsa_signature_is_as_good_and_the_only_one(signed: Path):
    public, whole = signed.with_name("signer.pem.pub"), (signed / SIGNATURE).read_text()
    (signature,) = json.loads(whole)["dsseEnvelope"]["signatures"]
    r, s = decode_dss_signature(base64.b64decode(signature["sig"]))
    found = []
    for form in ((r, P256_ORDER - s), (P256_ORDER - r, s), (r, s + P256_ORDER)):
        sig = base64.b64encode(encode_dss_signature(*form)).decode()
        (signed / SIGNATURE).write_text(whole.replace(signature["sig"], sig))
        findings = verify_model_signature(signed, P256.public_key()).findings
        found.append((not findings, is_verified_there(signed, public)))
    # The page on signed runs says so.
    assert found == [(True, True), (False, False), (False, False)]


def test_every_byte_of_the_signature_counts(signed: Path):
    whole = (signed / SIGNATURE).read_bytes()
    for place in range(0, len(whole), 61):
        edited = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        (signed / SIGNATURE).write_bytes(edited)
        assert verify_model_signature(signed, P256.public_key()).findings, place
