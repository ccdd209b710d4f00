"""An export that model-signing signed goes to a hub whole, and is checked when it comes back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cxr.attestation.attest import attest_run
from cxr.attestation.export_signatures import sign_export
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.publication.fetch_release import fetch_release
from cxr.publication.publish_run import Publication, Wishes, publish_run
from support.attesting import SIGNER
from support.releases import REPO, TAG, put, read_files, seal_anew
from support.signed_exports import OTHER_P256, P256, SIGNATURE, is_verified_there, write_p256

pytestmark = pytest.mark.extras


@pytest.fixture
def ask(hub, run: Path, export: Path):  # noqa: ARG001 - it is the hub that is asked
    def publish(tag: str = TAG, **wishes) -> Publication:
        return publish_run(run, REPO, tag, Wishes(export=export, is_meant=True, **wishes))

    return publish


def test_the_signature_is_made_last_sent_and_checked_when_it_is_fetched(hub, ask, run, tmp_path):
    attest_run(run, SIGNER)
    found = ask(key=P256)
    held = hub.repositories[REPO].commits[found.commit]
    (entry,) = json.loads(run.with_name(f"{run.name}.release.json").read_bytes())["releases"]
    assert {SIGNATURE, "attestation.json"} <= held.keys()
    fetched = fetch_release(f"{REPO}@{TAG}", out=tmp_path / "got", key=P256.public_key())
    assert (fetched.findings, fetched.unsigned) == ([], [])
    assert set(fetched.signed) == entry["files"].keys()
    assert is_verified_there(tmp_path / "got", write_p256(tmp_path).with_name("signer.pem.pub"))
    listed = entry["files"][SIGNATURE]["sha256"]
    assert digest_file(tmp_path / "got" / SIGNATURE) == listed


def test_a_signature_that_was_there_is_sent_as_it_is(hub, ask, export):
    sign_export(export, P256)
    first = ask()
    assert hub.repositories[REPO].commits[first.commit][SIGNATURE] == read_files(export)[SIGNATURE]
    # ECDSA would draw another number, and the tag would then have other content.
    assert not ask(key=P256).is_sent


@pytest.mark.parametrize("what", ["attestation", "Ed25519 key", "replaced card"])
def test_a_signature_of_other_files_than_those_to_send_is_refused(hub, ask, run, export, what):
    sign_export(export, P256)
    key = None
    if what == "attestation":
        attest_run(run, SIGNER)
    elif what == "Ed25519 key":
        key = SIGNER
    else:
        (export / "README.md").write_text("Another card.\n")
        seal_anew(export)
    with pytest.raises(RecordError, match=r"model\.sig does not sign what would be published"):
        ask(key=key)
    assert hub.repositories == {}
    ask(key=P256)
    assert hub.repositories[REPO].tags.keys() == {TAG}


def test_a_statement_of_other_files_is_refused_as_well(hub, ask, export):
    sign_export(export, SIGNER)
    (export / "README.md").write_text("Another card.\n")
    seal_anew(export)
    said = r"export\.attestation\.json does not sign what would be published"
    with pytest.raises(RecordError, match=said):
        ask()
    assert hub.repositories == {}


@pytest.mark.parametrize("what", ["none", "another key's", "another export's", "no signature"])
def test_a_bad_signature_is_found_when_it_is_fetched(hub, export, tmp_path, what):
    if what == "another key's":
        sign_export(export, OTHER_P256)
    elif what == "another export's":
        other = Path(shutil.copytree(export, tmp_path / "other"))
        (other / "README.md").write_text("Another card.\n")
        seal_anew(other)
        sign_export(other, P256)
        shutil.copy(other / SIGNATURE, export)
    elif what == "no signature":
        (export / SIGNATURE).write_bytes(b"")
    put(hub, read_files(export))
    asked = {"name": f"{REPO}@{TAG}", "out": tmp_path / "got", "key": P256.public_key()}
    if what == "none":
        with pytest.raises(RecordError, match=r"there is no model\.sig in it"):
            fetch_release(**asked)
    else:
        (finding,) = fetch_release(**asked).findings
        assert finding.path == SIGNATURE
    assert not (tmp_path / "got").exists()
