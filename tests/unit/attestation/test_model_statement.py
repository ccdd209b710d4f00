"""Reading what a signature of model-signing says, and holding a directory against it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from cxr.attestation.model_statement import find_differences, parse_payload, parse_signed_files
from cxr.digests.files import digest_file

FILES = [
    {"name": "a", "algorithm": "sha256", "digest": "00"},
    {"name": "b", "algorithm": "blake3", "digest": "11"},
]


def render(**changes: Any) -> bytes:
    predicate = {"serialization": {"method": "files"}, "resources": FILES}
    statement = {"predicateType": "https://model_signing/signature/v1.0", "predicate": predicate}
    return json.dumps({**statement, **changes}).encode()


def test_a_payload_is_taken_out_and_its_files_are_named():
    envelope = {"dsseEnvelope": {"payload": base64.b64encode(render()).decode()}}
    assert parse_payload(json.dumps(envelope).encode()) == render()
    assert parse_signed_files(render()) == {"a": "sha256:00", "b": "blake3:11"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is not JSON"),
        (b"{}", "it has no payload"),
        (b'{"dsseEnvelope": []}', "it has no payload"),
        (b'{"dsseEnvelope": {"payload": 1}}', "it has no payload"),
        (b'{"dsseEnvelope": {"payload": "e30"}}', "is not base64"),
        (b'{"dsseEnvelope": {"payload": "*"}}', "is not base64"),
    ],
)
def test_what_is_no_signature_is_refused(content: bytes, said: str):
    with pytest.raises(ValueError, match=said):
        parse_payload(content)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"predicateType": "https://model_signing/Digests/v0.1"}, "its predicateType is not"),
        ({"predicate": {}}, "it signs pieces of files"),
        ({"predicate": {"serialization": {"method": "shards"}}}, "it signs pieces of files"),
        ({"predicate": {"serialization": {"method": "files"}}}, "it names no files"),
    ],
)
def test_a_payload_of_another_form_is_refused(changes: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        parse_signed_files(render(**changes))


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ([*FILES, FILES[0]], "it names a file twice"),
        ([1], "a file has no name or digest"),
        ([{"name": "a", "algorithm": "sha256"}], "a file has no name or digest"),
    ],
)
def test_files_that_are_none_are_refused(resources: list[Any], said: str):
    predicate = {"serialization": {"method": "files"}, "resources": resources}
    with pytest.raises(ValueError, match=said):
        parse_signed_files(render(predicate=predicate))


def test_missing_added_and_changed_files_are_named(tmp_path: Path):
    (tmp_path / "below").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("added", "below/added", "changed", "same", "unread", "model.sig"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("empty")
    files = {
        "changed": "sha256:00",
        "missing": "sha256:00",
        "same": digest_file(tmp_path / "same"),
        "unread": "blake3:00",
    }
    found = find_differences(files, tmp_path)
    assert found == ["added", "below/added", "changed", "link", "missing"]
