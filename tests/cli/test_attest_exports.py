"""Signing an export, where the extra for model-signing is not there: it is blocked here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cxr.attestation.attest import attest_run
from cxr.attestation.export_signatures import sign_export, verify_export_signatures
from cxr.attestation.export_statement import derive_export_statement
from cxr.attestation.keys import derive_keyid
from cxr.errors import RecordError
from support.attesting import SIGNER, write_keys
from support.program import read_answer, read_error, run_cxr
from support.releases import seal_anew
from support.runs import HEAVY
from support.signed_exports import NUM_FILES, SIGNATURE, write_export, write_p256

BLOCKED = (*HEAVY, "model_signing", "sigstore", "sigstore_models")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return write_export(tmp_path)


def test_an_ed25519_key_signs_every_file_of_an_export(export: Path, tmp_path: Path):
    asked = ("attest", export, "--new-key", tmp_path / "new.pem")
    signed = run_cxr(*asked, blocked=BLOCKED)
    lies = export / "export.attestation.json"
    assert signed.returncode == 0, signed.stderr
    assert signed.stdout.startswith(f"attested: {NUM_FILES} files, in {lies}\nkey  sha256:")
    found = run_cxr("verify", export, "--key", tmp_path / "new.pem.pub", blocked=BLOCKED)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(f"authenticated: {NUM_FILES + 1} files, all digests agree")
    problem, _, _ = read_error(run_cxr(*asked, blocked=BLOCKED), code=2)
    assert problem == "the export is signed already: export.attestation.json is there"


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "desktop.ini"])
def test_what_a_file_manager_leaves_is_neither_signed_nor_missed(export: Path, name: str):
    before = derive_export_statement(export)
    (export / name).write_text("as it was when it was signed")
    assert derive_export_statement(export) == before
    sign_export(export, SIGNER)
    for content in ("somebody looked again", None):
        if content is None:
            (export / name).unlink()
        else:
            (export / name).write_text(content)
        found = verify_export_signatures(export, SIGNER.public_key())
        assert (found.findings, found.unsigned, len(found.signed)) == ([], [], NUM_FILES + 1)
    # Any other name is of somebody who put it there.
    (export / "run.lock").touch()
    (finding,) = verify_export_signatures(export, SIGNER.public_key()).findings
    assert finding.problem.startswith("is of another export")


@pytest.mark.parametrize("name", [".DS_Store", "evaluations"])
def test_a_directory_in_an_export_is_not_signed_and_named_where_it_came_later(
    export: Path, tmp_path: Path, name: str
):
    key = write_keys(tmp_path)
    (export / name).mkdir()
    problem, where, hint = read_error(run_cxr("attest", export, "--key", key), code=3)
    assert problem == f"{name} is no regular file: a signature covers files alone"
    assert (where, hint) == (str(export), "move it out of the export")
    (export / name).rmdir()
    sign_export(export, SIGNER)
    (export / name).mkdir()
    finished = run_cxr("verify", export, "--key", f"{key}.pub", blocked=BLOCKED)
    assert (finished.returncode, finished.stderr) == (1, "")
    assert f"  {name}: is no regular file: a signature covers files alone" in finished.stdout


def test_a_signature_by_another_kind_of_key_is_listed_and_not_called_unsigned(
    export: Path, tmp_path: Path
):
    public = f"{write_keys(tmp_path)}.pub"
    sign_export(export, SIGNER)
    (export / SIGNATURE).write_text("whatever: no Ed25519 key can say")
    said = "is a signature by another kind of key; cxr verify checks it with that one"
    finished = run_cxr("verify", export, "--key", public, blocked=BLOCKED)
    assert (finished.returncode, finished.stdout.splitlines()) == (
        0,
        [
            f"authenticated: {NUM_FILES + 1} files, all digests agree; status completed",
            f"signed with  {derive_keyid(SIGNER.public_key())}",
            f"  not checked: {SIGNATURE}: {said}",
        ],
    )
    answer = read_answer(run_cxr("verify", export, "--key", public, "--json", blocked=BLOCKED))
    assert (answer["verdict"], answer["authenticated"]) == ("authenticated", True)
    assert answer["unchecked"] == [{"path": SIGNATURE, "problem": said}]
    assert "unsigned_files" not in answer
    # What is used, and is not under the signature, counts as before.
    (export / "export.attestation.json").unlink()
    shutil.copyfile(attest_run(tmp_path / "run", SIGNER).path, export / "attestation.json")
    answer = read_answer(run_cxr("verify", export, "--key", public, "--json", blocked=BLOCKED))
    assert (answer["authenticated"], answer["unchecked"]) == (
        False,
        [{"path": SIGNATURE, "problem": said}],
    )
    assert "README.md" in answer["unsigned_files"]
    assert SIGNATURE not in answer["unsigned_files"]


def test_a_signature_of_model_signing_is_a_file_of_an_export_and_not_of_its_record(
    export: Path, tmp_path: Path
):
    (export / SIGNATURE).write_text("whatever")
    found = run_cxr("verify", export, blocked=BLOCKED)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("consistent, not authenticated: ")
    key = write_keys(tmp_path)
    problem, _, _ = read_error(run_cxr("verify", export, "--key", f"{key}.pub"), code=3)
    assert problem == "nothing is signed with a key of this kind: there is no attestation in it"
    seal_anew(export, lambda record: record["files"].update({SIGNATURE: "sha256:0"}))
    found = run_cxr("verify", export, blocked=BLOCKED)
    assert found.returncode == 1
    assert "export.json: names model.sig, which is no file of an export" in found.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["attest", "export", "--new-key", "export/new.pem"],
        ["attest", "--new-key", "export/new.pem", "--p256"],
        ["attest", "run", "--new-key", "new.pem", "--out", "export/run.json"],
        ["report", "run", "--replicates", "0", "--out", "export/run.html"],
    ],
    ids=" ".join,
)
def test_nothing_is_written_into_an_export_but_its_signatures(
    export: Path, tmp_path: Path, arguments: list[str]
):
    before = sorted(tmp_path.rglob("*"))
    problem, where, _ = read_error(run_cxr(*arguments, cwd=tmp_path), code=2)
    assert problem.endswith(" would be written into an export or a release")
    assert str(export) in where
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "typo", "--key", "signer.pem.pub"],
        ["verify", "typo", "--key", "nothing.pub"],
        ["attest", "typo", "--key", "signer.pem"],
        ["attest", "typo", "--key", "nothing.pem"],
        ["attest", "typo", "--new-key", "new.pem", "--p256"],
    ],
    ids=" ".join,
)
def test_what_is_no_record_is_told_before_any_key_is_blamed(tmp_path: Path, arguments: list[str]):
    write_p256(tmp_path)
    problem, where, _ = read_error(run_cxr(*arguments, cwd=tmp_path, blocked=BLOCKED), code=3)
    assert problem == "not a run directory: it holds no manifest.json"
    assert where == "typo"


def test_an_export_is_verified_by_whoever_signs_it(export: Path):
    (export / "key.pem").write_text("somebody put it there after the first look")
    with pytest.raises(RecordError, match=r"does not verify: key\.pem was added"):
        sign_export(export, SIGNER)
    assert not (export / "export.attestation.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["attest", "export", "--key", "signer.pem"],
        ["attest", "export", "--new-key", "new.pem", "--p256"],
        ["verify", "export", "--key", "signer.pem.pub"],
        ["publish", "run", "a/b", "--tag", "v1", "--key", "signer.pem", "--export", "export"],
        ["fetch", "a/b@v1", "--key", "signer.pem.pub"],
    ],
    ids=lambda value: value[0],
)
def test_without_the_library_it_says_how_to_install_it(
    export: Path, tmp_path: Path, arguments: list[str]
):
    write_p256(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    hub = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    finished = run_cxr(*arguments, cwd=tmp_path, blocked=BLOCKED, env=hub)
    problem, _, hint = read_error(finished, code=3)
    assert "needs the library model-signing, which is missing" in problem
    assert hint.endswith("uv sync --extra model-signing, or pip install 'cxr[model-signing]'")
    assert sorted(tmp_path.rglob("*")) == before
    assert export.is_dir()


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["run", "--key", "signer.pem"], 2, "of another kind than Ed25519"),
        (["run", "--new-key", "new.pem", "--p256"], 2, "a run is signed with an Ed25519 key"),
        (["run", "--key", "signer.pem", "--p256"], 2, "a key that is there has its kind"),
        (["export", "--new-key", "new.pem", "--times"], 2, "an export has its signatures in its"),
        (["export", "--new-key", "new.pem", "-o", "x"], 2, "an export has its signatures in its"),
        (["export", "--key", "signer.pem.pub"], 2, "this is a public key"),
        (["export", "--key", "nothing.pem"], 3, "cannot read the key"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_three_lines_and_leaves_nothing(
    export: Path, tmp_path: Path, arguments: list[str], code: int, problem: str
):
    write_p256(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    finished = run_cxr("attest", *arguments, cwd=tmp_path, blocked=BLOCKED)
    said, _, _ = read_error(finished, code=code)
    assert problem in said
    assert sorted(tmp_path.rglob("*")) == before
    assert export.is_dir()


def test_a_run_is_signed_and_checked_without_the_extra(export: Path, tmp_path: Path):
    key, run = write_keys(tmp_path), tmp_path / "run"
    signed = run_cxr("attest", run, "--key", key, "--json", blocked=BLOCKED)
    assert signed.returncode == 0, signed.stderr
    assert json.loads(signed.stdout)["keyid"] == derive_keyid(SIGNER.public_key())
    assert run_cxr("verify", run, "--key", f"{key}.pub", "-q", blocked=BLOCKED).returncode == 0
    public = write_p256(tmp_path / "other").with_name("signer.pem.pub")
    problem, _, _ = read_error(run_cxr("verify", run, "--key", public, blocked=BLOCKED), code=2)
    assert problem == "this is a public key of another kind than Ed25519"
    assert export.is_dir()
