"""``cxr attest`` signs a run, and ``cxr verify --key`` says whether it is still the signed one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cxr.attestation.keys import derive_keyid
from support.attesting import (
    GOLDEN,
    OTHER,
    SIGNER,
    STORED_RUN,
    read_statement,
    render_private,
    sign_anew,
    wrap_in_repeat,
    write_keys,
)
from support.places import elsewhere
from support.program import (
    DEADLINE_S,
    build_command,
    build_environment,
    read_answer,
    read_error,
    run_cxr,
)
from support.recipes import vectors
from support.runs import HEAVY, FinishedRuns, copy_run

KEYID = derive_keyid(SIGNER.public_key())
PASSWORD = "CXR_KEY_PASSWORD"  # noqa: S105 - a variable's name
TYPING = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return shutil.copytree(STORED_RUN, tmp_path / "run")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_keys(tmp_path)


@pytest.fixture
def signed(run: Path) -> Path:
    """The stored run's envelope, as it was stored."""
    return shutil.copy(GOLDEN, run.with_name("run.attestation.json"))


def list_secrets(key: Any, password: bytes | None = None) -> list[str]:
    """Return what of a private key must not be said anywhere."""
    pem = render_private(key, password).decode("ascii").splitlines()
    raw = key.private_bytes_raw()
    return [*(line for line in pem if "-----" not in line), raw.hex(), repr(raw), repr(list(raw))]


def test_a_trained_run_is_signed_and_found_authentic(finished_run: FinishedRuns, tmp_path: Path):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    signed = run_cxr("attest", run, "--new-key", tmp_path / "signer.pem", "--json", blocked=HEAVY)
    answer = read_answer(signed)
    num_files = 1 + len(json.loads((run / "manifest.json").read_bytes())["files"])
    assert (signed.returncode, signed.stderr.count("\n")) == (0, 1)
    assert answer == {
        "run": str(run),
        "verdict": "attested",
        "attestation": str(tmp_path / "run.attestation.json"),
        "keyid": answer["keyid"],
        "public_key": str(tmp_path / "signer.pem.pub"),
        "subjects": num_files,
        "statement_digest": answer["statement_digest"],
    }
    public = tmp_path / "signer.pem.pub"
    found = run_cxr("verify", run, "--key", public, blocked=HEAVY)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == (
        f"authenticated: {num_files} files, all digests agree; status completed\n"
        f"signed with  {answer['keyid']}\n"
    )
    assert read_answer(run_cxr("verify", run, "--key", public, "--json")) == {
        "run": str(run),
        "verdict": "authenticated",
        "authenticated": True,
        "status": "completed",
        "files": num_files - 1,
        "evaluations": 0,
        "findings": [],
        "signed_files": num_files,
        "keyid": answer["keyid"],
        "attestation": answer["attestation"],
    }
    without = run_cxr("verify", run).stdout
    assert without.startswith(f"consistent, not authenticated: {num_files - 1} files, ")


def test_processes_that_differ_in_everything_else_write_the_same_bytes(
    run: Path, key: Path, tmp_path: Path
):
    options = elsewhere(tmp_path)
    del options["fault"]
    first = run_cxr("attest", run, "--key", key, "-q", "--out", tmp_path / "first.json")
    other = run_cxr("attest", run, "--key", key, "-q", "--out", tmp_path / "other.json", **options)
    for finished in (first, other):
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    # A change here makes attestations of earlier versions differ: it needs another build type.
    assert (tmp_path / "first.json").read_bytes() == GOLDEN.read_bytes()


def test_a_repeat_is_told_to_be_one_ahead_of_the_key(run: Path, tmp_path: Path):
    repeat = wrap_in_repeat(run, tmp_path / "repeat")
    refused = run_cxr("attest", repeat, "--new-key", tmp_path / "new.pem", blocked=HEAVY)
    problem, where, hint = read_error(refused, code=3)
    assert (problem, where) == ("this is a repeat, which has no signature of its own", str(repeat))
    assert f"cxr attest {repeat}/run-1 --key FILE --out FILE" in hint
    assert not (tmp_path / "new.pem").exists()


def test_what_came_after_the_run_is_not_called_signed(run: Path, key: Path, signed: Path):
    found = run_cxr("verify", run, "--key", f"{key}.pub", blocked=HEAVY)
    assert found.stdout == (
        "authenticated: 11 files, all digests agree; status completed\n"
        f"signed with  {KEYID}\n"
        "not signed   later evaluations: 1, consistent with the run\n"
    )
    assert signed.exists()


def test_each_fault_is_named_with_exit_code_1(run: Path, key: Path, signed: Path, tmp_path: Path):
    public = f"{key}.pub"
    content = signed.read_bytes()

    def find_faults() -> str:
        finished = run_cxr("verify", run, "--key", public, "-q", blocked=HEAVY)
        assert (finished.returncode, finished.stderr) == (1, "")
        assert "authenticated" not in finished.stdout
        return finished.stdout

    signed.write_bytes(content[:1000])
    assert "run.attestation.json: is no envelope: it is not JSON" in find_faults()
    sign_anew(signed, read_statement(GOLDEN), OTHER)
    assert f"is signed with another key: {derive_keyid(OTHER.public_key())}" in find_faults()
    signed.write_bytes(content)
    shutil.copy(STORED_RUN.with_name("other") / "model.safetensors", run / "model.safetensors")
    assert "model.safetensors: was changed: its bytes have another digest" in find_faults()
    shutil.copytree(STORED_RUN.with_name("other"), run.with_name("other"))
    options = ["--key", public, "--attestation", signed, "--json"]
    answer = read_answer(run_cxr("verify", run.with_name("other"), *options, blocked=HEAVY))
    assert (answer["verdict"], answer["authenticated"]) == ("differs", False)
    named = {found["path"] for found in answer["findings"]}
    assert {"run.attestation.json", "manifest.json", "ledger.jsonl"} <= named
    assert not (tmp_path / "other.attestation.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["verify", "run", "--attestation", "run.attestation.json"], 2, "is checked with a key"),
        (["verify", "run", "--key", "signer.pem"], 2, "this is a private key"),
        (["verify", "run", "--key", "nothing.pub"], 3, "cannot read the key: No such file"),
        (["verify", "run", "--key", "signer.pem.pub"], 3, "cannot read the attestation"),
        (["verify", ".", "--key", "signer.pem.pub"], 3, "not a run directory"),
        (["attest", "run"], 2, "one key signs: --key or --new-key"),
        (["attest", "run", "--key", "signer.pem", "--new-key", "a"], 2, "one key signs"),
        (["attest", "--key", "signer.pem"], 2, "there is no run to sign"),
        (["attest", "run", "--key", "signer.pem.pub"], 2, "this is a public key"),
        (["attest", "run", "--new-key", "signer.pem"], 2, "something stands where the key"),
        (["attest", "run", "--new-key", "new.pem", "-o", "signer.pem.pub"], 2, "another attest"),
        (["attest", "nothing", "--new-key", "new.pem"], 3, "not a run directory"),
        (["attest", "run", "--new-key", "new.pem", "-o", "run/a"], 2, "into another record"),
        (["attest", "run", "--new-key", "run/key.pem"], 2, "into another record"),
        (["attest", "run", "--key", "signer.pem", "-o", "run/a.json"], 2, "into another record"),
        (["attest", "..", "--key", "signer.pem"], 3, "not a run directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_three_lines(
    run: Path, key: Path, arguments: list[str], code: int, problem: str
):
    before = sorted(key.parent.rglob("*"))
    finished = run_cxr(*arguments, cwd=key.parent, blocked=HEAVY)
    said, _, hint = read_error(finished, code=code)
    assert problem in said
    assert finished.stdout == ""
    assert hint
    assert sorted(key.parent.rglob("*")) == before
    assert run.is_dir()


def test_a_key_can_be_made_before_there_is_a_run(tmp_path: Path):
    made = run_cxr("attest", "--new-key", "signer.pem", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (
        0,
        "made: the key signer.pem, and signer.pem.pub for those who check\n",
    )
    assert re.fullmatch(r"key  sha256:[0-9a-f]{64}\n", made.stdout)
    assert (tmp_path / "signer.pem").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"signer.pem", "signer.pem.pub"}


def test_without_the_library_it_says_how_to_install_it(run: Path, key: Path, signed: Path):
    for arguments in (["attest", run, "--key", key], ["verify", run, "--key", f"{key}.pub"]):
        finished = run_cxr(*arguments, blocked=["cryptography"])
        problem, _, hint = read_error(finished, code=3)
        assert "need the library cryptography" in problem
        assert "cxr[attest]" in hint
    assert run_cxr("verify", run, "-q", blocked=["cryptography"]).returncode == 0
    assert signed.read_bytes() == GOLDEN.read_bytes()


def test_a_key_that_others_may_read_is_warned_of_and_used(run: Path, key: Path):
    key.chmod(0o644)
    finished = run_cxr("attest", run, "--key", key, "-q")
    assert (finished.returncode, finished.stdout) == (0, "")
    assert finished.stderr == (
        f"warning: others on this machine may read or change the key: chmod 600 {key}\n"
    )


def test_a_password_comes_from_a_variable_and_a_key_is_never_said(run: Path, tmp_path: Path):
    key = write_keys(tmp_path, password=b"correct horse")
    attest = ["attest", run, "--key", key]
    problem, _, hint = read_error(run_cxr(*attest), code=3)
    assert "the key has a password, and there is no terminal" in problem
    assert PASSWORD in hint
    said = []
    for password, code in (("wrong horse", 2), ("correct horse", 0)):
        variables = {PASSWORD: password, "CXR_TRACEBACK": "1"}
        finished = run_cxr(*attest, env=variables)
        assert finished.returncode == code, finished.stderr
        said += [finished.stdout, finished.stderr]
    assert "the password does not open this key" in said[1]
    said.append((tmp_path / "run.attestation.json").read_text(encoding="ascii"))
    said.append(json.dumps(read_statement(tmp_path / "run.attestation.json")))
    said.append(run_cxr("env", "capture", "--json", env={PASSWORD: "correct horse"}).stdout)
    for secret in [*list_secrets(SIGNER), "wrong horse", "correct horse"]:
        assert not any(secret in text for text in said)


def test_a_new_key_is_kept_under_the_password_of_the_variable(run: Path, tmp_path: Path):
    key, variables = tmp_path / "signer.pem", {PASSWORD: "correct horse"}
    made = run_cxr("attest", run, "--new-key", key, "-q", env=variables)
    assert (made.returncode, made.stderr) == (0, "")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in key.read_bytes()
    assert run_cxr("attest", run, "--key", key, "-q", env=variables).returncode == 0
    assert run_cxr("verify", run, "--key", f"{key}.pub", "-q").returncode == 0


def test_a_password_is_asked_for_on_a_terminal_and_not_shown(run: Path, tmp_path: Path):
    key = write_keys(tmp_path, password=b"correct horse")
    process = subprocess.Popen(
        [sys.executable, "-c", TYPING, *build_command("attest", run, "--key", key)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=build_environment(),
    )
    with process:
        # What is typed before it is asked for is thrown away.
        shown = ""
        while not shown.endswith(f"password of {key}: ") and (letter := process.stdout.read(1)):
            shown += letter
        shown += process.communicate("correct horse\n", timeout=DEADLINE_S)[0]
    assert process.returncode == 0, shown
    assert "correct horse" not in shown
    assert (tmp_path / "run.attestation.json").read_bytes() == GOLDEN.read_bytes()
