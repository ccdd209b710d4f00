from __future__ import annotations

import os

import pytest

from cxr import json_file
from cxr.errors import RecordError
from cxr.json_file import load_json_object


def test_an_object_is_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"a": [1, 0.5, null]}')
    assert load_json_object(tmp_path / "a.json") == {"a": [1, 0.5, None]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the record is not JSON"),
        (b'{"a": 1', "the record is not JSON"),
        (b"\xff\xfe\x00", "the record is not JSON"),
        (b'{"a": ' + b"[" * 100_000, "the record is not JSON"),
        (b'{"a": [NaN]}', "the record is not JSON: it holds NaN, which is no JSON"),
        (b'{"a": -Infinity}', "the record is not JSON: it holds -Infinity, which is no JSON"),
        (b'{"a": 1e999}', "the record is not JSON: it holds 1e999, which no float holds"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the record is not JSON: it has the key 'c' twice"),
        (b"[1, 2]", "the record is not a JSON object"),
        (b'"text"', "the record is not a JSON object"),
        (b"null", "the record is not a JSON object"),
    ],
    ids=[
        "empty",
        "cut",
        "no text",
        "deep",
        "nan",
        "infinity",
        "large",
        "twice",
        "list",
        "text",
        "null",
    ],
)
def test_anything_else_is_one_kind_of_error_that_names_the_file(tmp_path, content, problem):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(RecordError, match=problem) as caught:
        load_json_object(tmp_path / "a.json")
    assert caught.value.where == str(tmp_path / "a.json")


def test_a_missing_file_and_a_directory_are_the_same_kind(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(RecordError, match="cannot read the record"):
            load_json_object(path)


def test_what_would_never_end_is_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "zero"):
        with pytest.raises(RecordError, match="cannot read the record: it is no regular file"):
            load_json_object(path)
    (tmp_path / "a.json").write_bytes(b'{"a": 1}')
    monkeypatch.setattr(json_file, "MAX_RECORD_BYTES", 7)
    with pytest.raises(RecordError, match="cannot read the record: it is larger than 0 MiB"):
        load_json_object(tmp_path / "a.json")
