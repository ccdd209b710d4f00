"""Only a run that completed and verifies is signed; nothing is written over or into a record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cxr.attestation.attest import attest_run
from cxr.attestation.place import find_place
from cxr.errors import RecordError, RunDirectoryTakenError, StorageError, UsageError
from support.attesting import OTHER, SIGNER, find_problems, read_statement, wrap_in_repeat


def test_a_signed_run_is_authentic_and_not_changed(run: Path):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    path = attest_run(run, SIGNER).path
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert find_problems(run, path) == []


def test_the_same_run_and_key_give_the_same_bytes_again(run: Path, tmp_path: Path):
    first = attest_run(run, SIGNER)
    assert attest_run(run, SIGNER) == first
    second = attest_run(run, SIGNER, out=tmp_path / "other.json").path
    assert second.read_bytes() == first.path.read_bytes()


def test_times_are_signed_where_they_are_asked_for(run: Path):
    path = attest_run(run, SIGNER, with_times=True).path
    volatile = json.loads((run / "manifest.json").read_bytes())["volatile"]
    metadata = read_statement(path)["predicate"]["runDetails"]["metadata"]
    assert metadata["startedOn"] == volatile["started"].replace("+00:00", "Z")
    assert metadata["finishedOn"] == volatile["finished"].replace("+00:00", "Z")
    assert find_problems(run, path) == []


def test_a_run_that_did_not_complete_is_not_signed(make_run):
    for status in ("running", "failed", "interrupted"):
        run = make_run(status=status)
        with pytest.raises(RecordError, match=f"did not complete: its status is {status}"):
            attest_run(run, SIGNER)
        assert not find_place(run).exists()


def test_a_run_that_does_not_verify_is_not_signed(run: Path):
    with (run / "metrics.jsonl").open("ab") as stream:
        stream.write(b"\n")
    with pytest.raises(RecordError, match=r"does not verify: metrics\.jsonl was changed"):
        attest_run(run, SIGNER)
    assert not find_place(run).exists()


def test_another_attestation_is_not_written_over(run: Path):
    path = attest_run(run, SIGNER).path
    before = path.read_bytes()
    with pytest.raises(UsageError, match="another attestation"):
        attest_run(run, OTHER)
    with pytest.raises(UsageError, match="another attestation"):
        attest_run(run, SIGNER, with_times=True)
    assert path.read_bytes() == before
    assert {one.name for one in run.parent.iterdir()} == {"run", path.name}


def test_of_a_repeat_each_run_is_signed_by_itself(run: Path, tmp_path: Path):
    repeat = wrap_in_repeat(run, tmp_path / "of one run")
    with pytest.raises(RecordError, match="this is a repeat, which has no signature") as caught:
        attest_run(repeat, SIGNER)
    assert caught.value.where == str(repeat)
    assert f"cxr attest '{repeat}/run-1' --key FILE --out FILE" in caught.value.hint
    assert attest_run(repeat / "run-1", SIGNER, out=tmp_path / "one.json").num_subjects


@pytest.mark.parametrize("name", ["attestation.json", "evaluations/attestation.json"])
def test_nothing_is_written_into_the_run(run: Path, name: str):
    (run / "evaluations").mkdir()
    with pytest.raises(RunDirectoryTakenError, match="into another record"):
        attest_run(run, SIGNER, out=run / name)


@pytest.mark.parametrize("record", ["repeat.json", "reproduction.json"])
def test_beside_a_run_of_a_repeat_or_reproduction_nothing_is_written(run: Path, record: str):
    (run.parent / record).touch()
    with pytest.raises(RunDirectoryTakenError, match="into another record") as caught:
        attest_run(run, SIGNER)
    assert "--out" in caught.value.hint


def test_a_place_that_cannot_be_written_is_a_storage_error(run: Path, tmp_path: Path):
    with pytest.raises(StorageError, match="cannot write"):
        attest_run(run, SIGNER, out=tmp_path / "nothing" / "a.json")


def test_the_place_is_beside_the_directory_however_it_is_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = tmp_path / "run.attestation.json"
    (tmp_path / "latest").symlink_to(run)
    monkeypatch.chdir(run)
    for name in (run, Path(), Path("..") / "run", tmp_path / "latest", Path("../run/../latest")):
        assert find_place(name).resolve() == place
    monkeypatch.chdir(tmp_path)
    assert find_place(Path("run")) == Path("run.attestation.json")
