"""Whatever is not the one envelope of this run and this key is named."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.attestation import verify_attestation as module
from cxr.attestation.attest import attest_run
from cxr.attestation.dsse import encode_for_signing
from cxr.attestation.keys import derive_keyid
from cxr.digests.canonical import canonical_json
from cxr.errors import RecordError
from support.attesting import (
    GOLDEN,
    OTHER,
    SIGNER,
    STORED_RUN,
    find_problems,
    read_statement,
    sign_anew,
)
from support.fabricated_runs import Fabricated

Document = dict[str, Any]
NAME = "run.attestation.json"
OTHER_KEYID = derive_keyid(OTHER.public_key())


def sign(kind: str, payload: bytes, key: Any = SIGNER) -> str:
    return base64.b64encode(key.sign(encode_for_signing(kind, payload))).decode("ascii")


def edit(path: Path, change: Callable[[Document], Any]) -> Document:
    """Change an envelope as somebody with an editor would, and write it as cxr does."""
    document = json.loads(path.read_bytes())
    change(document)
    path.write_bytes(canonical_json(document) + b"\n")
    return document


def find_one_problem(run: Path, path: Path, name: str = NAME) -> str:
    [(found, problem)] = find_problems(run, path)
    assert found == name
    return problem


# The envelope


def test_another_key_is_named(run: Path, envelope: Path):
    problem = find_problems(run, envelope, OTHER)
    keyid = derive_keyid(SIGNER.public_key())
    assert problem == [(NAME, f"is signed with another key: {keyid}")]


def test_another_key_under_the_name_of_this_one_is_not_believed(run: Path, envelope: Path):
    statement = read_statement(envelope)
    sign_anew(envelope, statement, OTHER)
    keyid = derive_keyid(SIGNER.public_key())
    edit(envelope, lambda document: document["signatures"][0].update(keyid=keyid))
    assert "has no valid signature of this key" in find_one_problem(run, envelope)


def test_a_signature_under_the_name_of_another_key_is_named(run: Path, envelope: Path):
    edit(envelope, lambda document: document["signatures"][0].update(keyid=OTHER_KEYID))
    assert find_one_problem(run, envelope) == "names another key than the one that signed it"
    edit(envelope, lambda document: document["signatures"][0].pop("keyid"))
    assert find_one_problem(run, envelope) == "names another key than the one that signed it"


@pytest.mark.parametrize("key", [SIGNER, OTHER])
@pytest.mark.parametrize("is_good", [True, False])
@pytest.mark.parametrize("place", [0, 1])
def test_a_second_signature_is_named_good_or_bad(
    run: Path,
    envelope: Path,
    key: Any,
    is_good: bool,  # noqa: FBT001
    place: int,
):
    def add(document: Document) -> None:
        payload = base64.b64decode(document["payload"]) + (b"" if is_good else b" ")
        sig = sign(document["payloadType"], payload, key)
        keyid = derive_keyid(key.public_key())
        document["signatures"].insert(place, {"keyid": keyid, "sig": sig})

    edit(envelope, add)
    assert find_one_problem(run, envelope) == "has 2 signatures, where one key signs alone"


def test_a_changed_payload_type_is_not_under_the_signature(run: Path, envelope: Path):
    edit(envelope, lambda document: document.update(payloadType="application/json"))
    assert "has no valid signature of this key" in find_one_problem(run, envelope)


def test_another_payload_type_that_was_signed_is_named(run: Path, envelope: Path):
    def change(document: Document) -> None:
        kind = document["payloadType"] = "application/vnd.in-toto.bundle"
        payload = base64.b64decode(document["payload"])
        document["signatures"][0]["sig"] = sign(kind, payload)

    edit(envelope, change)
    problem = find_one_problem(run, envelope)
    assert problem.startswith("has the payload type application/vnd.in-toto.bundle")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: json.dumps(json.loads(text), indent=1),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n",
        lambda text: text.replace("}\n", ',"more":1}\n'),
        lambda text: text.replace('"keyid":"sha256', '"key\\u0069d":"sha256'),
        lambda text: text.replace('"sig":', '"more":[],"sig":'),
    ],
)
def test_another_spelling_is_named(run: Path, envelope: Path, change: Callable[[str], str]):
    before = envelope.read_text(encoding="ascii")
    envelope.write_text(change(before), encoding="ascii")
    assert envelope.read_text(encoding="ascii") != before
    assert "is not spelled as cxr spells it" in find_one_problem(run, envelope)


def test_the_other_alphabet_of_base64_is_another_spelling(tmp_path: Path):
    path = tmp_path / NAME
    path.write_bytes(GOLDEN.read_bytes())
    assert find_problems(STORED_RUN, path) == []

    def change(document: Document) -> None:
        [signature] = document["signatures"]
        before = signature["sig"]
        signature["sig"] = before.translate(str.maketrans("+/", "-_"))
        assert signature["sig"] != before

    edit(path, change)
    assert "is not spelled as cxr spells it" in find_one_problem(STORED_RUN, path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[: len(content) // 2], "it is not JSON"),
        (lambda content: content[:-3], "it is not JSON"),
        (lambda _: b"", "it is not JSON"),
        (lambda _: b"{}", "it has no signatures"),
        (lambda content: content.replace(b'{"pay', b'{"payload":"","pay', 1), "'payload' twice"),
        (lambda content: content.replace(b'"sig":', b'"sig":"","sig":'), "'sig' twice"),
        (lambda content: content.replace(b'=="}', b'="}'), "sig is not canonical base64"),
        (lambda content: content.replace(b'"payload":"', b'"payload":" '), "payload is not canon"),
        (lambda content: b"\xff" + content, "it is not UTF-8"),
        (lambda _: b" " * (16 * 2**20 + 1), "it is larger than 16 MiB"),
        (lambda _: b"[" * 2**20, "it is nested too deeply"),
    ],
)
def test_what_is_no_envelope_is_named(
    run: Path, envelope: Path, change: Callable[[bytes], bytes], said: str
):
    before = envelope.read_bytes()
    envelope.write_bytes(change(before))
    assert envelope.read_bytes() != before
    problem = find_one_problem(run, envelope)
    assert problem.startswith("is no envelope: ")
    assert said in problem


def test_a_huge_file_is_not_read_whole(run: Path, envelope: Path):
    with envelope.open("wb") as stream:
        stream.truncate(2**40)
    assert "it is larger than 16 MiB" in find_one_problem(run, envelope)


@pytest.mark.parametrize("what", ["missing", "directory"])
def test_an_envelope_that_cannot_be_read_is_no_difference(run: Path, tmp_path: Path, what: str):
    path = tmp_path / "none.json"
    if what == "directory":
        path.mkdir()
    with pytest.raises(RecordError, match="cannot read the attestation") as caught:
        find_problems(run, path)
    assert "--attestation" in caught.value.hint


def test_a_payload_without_a_valid_signature_is_not_parsed(
    run: Path, envelope: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(_: bytes) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "parse_json_object", refuse)
    assert "is signed with another key" in find_problems(run, envelope, OTHER)[0][1]


# The statement, signed with the right key


def test_the_statement_of_another_run_is_named(run: Path, envelope: Path, tmp_path: Path):
    other = Fabricated(computed=True, weight=0.75).write(tmp_path / "other")
    envelope.write_bytes(attest_run(other, SIGNER).path.read_bytes())
    problems = find_problems(run, envelope)
    assert problems[0] == (
        NAME,
        "is of another run, or of this one before it was changed: see manifest.json",
    )
    changed = ("manifest.json", "is not the one that was signed")
    assert changed in problems
    assert ("model.safetensors", "is not the one that was signed") in problems


def test_an_equal_run_is_still_another_one(envelope: Path, tmp_path: Path):
    twin = Fabricated(computed=True).write(tmp_path / "twin")
    assert read_statement(envelope)["subject"] != read_statement(attest_run(twin, SIGNER).path)
    problems = find_problems(twin, envelope)
    assert [name for name, _ in problems] == [NAME, "manifest.json"]


def test_a_run_that_was_edited_and_sealed_again_is_named(run: Path, envelope: Path, edit_manifest):
    def change(manifest: Document) -> None:
        manifest["volatile"]["duration_s"] = 1.5

    edit_manifest(run, change, seal=True)
    assert ("manifest.json", "is not the one that was signed") in find_problems(run, envelope)


def drop(name: str) -> Callable[[Document], Any]:
    def change(statement: Document) -> None:
        kept = [one for one in statement["subject"] if one["name"] != name]
        assert len(kept) == len(statement["subject"]) - 1
        statement["subject"] = kept

    return change


def add(name: Any, digest: Any = None) -> Callable[[Document], Any]:
    subject = {"name": name, "digest": digest or {"sha256": "ab" * 32}}
    return lambda statement: statement["subject"].append(subject)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (drop("model.safetensors"), "does not name model.safetensors: it is not signed"),
        (drop("manifest.json"), "does not name manifest.json: it is not signed"),
        (lambda it: it.update(subject=[]), "does not name ledger.jsonl: it is not signed"),
        (lambda it: it.pop("subject"), "does not name ledger.jsonl: it is not signed"),
        (lambda it: it.update(subject={}), "does not name ledger.jsonl: it is not signed"),
        (add("../../etc/passwd"), "names ../../etc/passwd, which is no file of the run"),
        (add("/etc/passwd"), "names /etc/passwd, which is no file of the run"),
        (add("./config.yaml"), "names ./config.yaml, which is no file of the run"),
        (add("config.yaml"), "names config.yaml twice"),
        (add(7), "names 7, which is no file of the run"),
        (lambda it: it["subject"].append("more"), "names , which is no file of the run"),
        (lambda it: it["subject"].reverse(), "says something else than the run: subject"),
        (
            lambda it: it["subject"][0].update(uri="urn:x"),
            "says something else than the run: subject",
        ),
        (
            lambda it: it.update(_type="https://in-toto.io/Statement/v0.1"),
            "is signed, but its _type",
        ),
        (lambda it: it.update(predicateType="https://slsa.dev/provenance/v0.2"), "predicateType"),
        (
            lambda it: it["predicate"]["buildDefinition"].update(buildType="urn:x:y"),
            "its buildType is 'urn:x:y'",
        ),
        (lambda it: it.update(predicate=[]), "its buildType is None"),
        (
            lambda it: it["predicate"]["buildDefinition"]["externalParameters"].update(seed=2),
            "than the run: predicate.buildDefinition.externalParameters.seed",
        ),
        (
            lambda it: it["predicate"]["buildDefinition"]["resolvedDependencies"].pop(),
            "than the run: predicate.buildDefinition.resolvedDependencies",
        ),
        (
            lambda it: it["predicate"]["runDetails"]["byproducts"][0]["digest"].update(sha256="0"),
            "than the run: predicate.runDetails.byproducts",
        ),
        (
            lambda it: it["predicate"]["runDetails"]["metadata"].update(
                startedOn="2026-01-01T00:00Z"
            ),
            "than the run: predicate.runDetails.metadata.startedOn",
        ),
        (lambda it: it["predicate"].update(cxr_more=1), "than the run: predicate.cxr_more"),
        (lambda it: it.update(more=None), "than the run: more"),
    ],
)
def test_a_signed_statement_that_does_not_follow_from_the_run_is_named(
    run: Path, envelope: Path, change: Callable[[Document], Any], problem: str
):
    statement = read_statement(envelope)
    change(statement)
    sign_anew(envelope, statement)
    found = find_problems(run, envelope)
    assert any(name == NAME and problem in said for name, said in found), found


def test_a_subject_with_another_digest_is_named_as_the_file_it_is(run: Path, envelope: Path):
    statement = read_statement(envelope)
    for subject in statement["subject"]:
        if subject["name"] == "predictions.csv":
            subject["digest"] = {"sha512": subject["digest"]["sha256"]}
    sign_anew(envelope, statement)
    problem = find_one_problem(run, envelope, "predictions.csv")
    assert problem == "is not the one that was signed"


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (lambda payload: payload + b"\n", "its statement is not canonical JSON"),
        (lambda payload: payload.replace(b'"seed":1', b'"seed":1 '), "is not canonical JSON"),
        (lambda payload: payload.replace(b'{"_t', b'{"_type":"x","_t', 1), "'_type' twice"),
        (lambda payload: payload[:-1], "its payload is no statement: it is not JSON"),
        (lambda _: b"", "its payload is no statement: it is not JSON"),
        (lambda _: b"[]", "its payload is no statement: it is not a JSON object"),
    ],
)
def test_a_signed_payload_in_another_spelling_is_named(
    run: Path, envelope: Path, payload: Callable[[bytes], bytes], said: str
):
    before = canonical_json(read_statement(envelope))
    assert payload(before) != before
    sign_anew(envelope, payload(before))
    assert said in find_one_problem(run, envelope)


def test_what_is_found_in_the_run_does_not_hide_the_signature(run: Path, envelope: Path):
    (run / "model.safetensors").write_bytes(b"other")
    assert [name for name, _ in find_problems(run, envelope)] == ["model.safetensors"] * 2
    found = find_problems(run, envelope, OTHER)
    assert [name for name, _ in found] == ["model.safetensors", "model.safetensors", NAME]
