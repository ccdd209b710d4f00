"""Answers that are none of a hub: each is an error that says so, and nothing is fetched."""

from __future__ import annotations

import json

import pytest

from cxr.errors import CxrError, HubError, ReleaseDiffersError
from cxr.publication.answers import MAX_JSON_BYTES
from cxr.publication.fetch_release import fetch_release
from cxr.publication.publish_run import Wishes, publish_run
from support.hub_state import Hub
from support.releases import REPO, TAG, put, read_files

COMMIT = "c" * 40
REFS = {"branches": [], "tags": [{"name": TAG, "targetCommit": COMMIT}]}
FILE = {"type": "file", "path": "README.md", "size": 1, "oid": "0" * 40}


def ask(hub: Hub, part: str, page: bytes, tmp_path) -> CxrError:
    hub.pages = {part: page}
    with pytest.raises(CxrError) as caught:
        fetch_release(f"{REPO}@{TAG}", out=tmp_path / "place" / "got")
    assert not (tmp_path / "place").exists()
    return caught.value


@pytest.mark.parametrize("part", ["/refs", "/revision/", "/tree/"])
@pytest.mark.parametrize(
    "page",
    [
        b"<html>Log in to this network.</html>",
        b"",
        b"[" * 100_000,
        b"9" * 10_000,
        b"\xff\xfe",
        b"null",
        b"5",
        b"{}",
        b'[{"sha": "main"}]',
    ],
    ids=[
        "html",
        "empty",
        "nested",
        "digits",
        "bytes",
        "null",
        "number",
        "object",
        "list",
    ],
)
def test_an_answer_that_is_none_is_an_error(hub, export, tmp_path, part, page):
    put(hub, read_files(export))
    refusal = ask(hub, part, page, tmp_path)
    assert isinstance(refusal, HubError)
    assert refusal.problem.startswith("the hub's answer is n")
    assert hub.list_asked("/resolve/") == []


def test_an_answer_without_an_end_is_cut_off(hub, export, tmp_path):
    commit = put(hub, read_files(export))
    tags = [{"name": TAG, "targetCommit": commit}]
    page = json.dumps({"branches": [], "tags": tags}).encode() + b" " * MAX_JSON_BYTES
    assert ask(hub, "/refs", page, tmp_path).problem.endswith("it does not end")


@pytest.mark.parametrize(
    "changes",
    [
        {"tags": None},
        {"tags": [5]},
        {"tags": [{"name": TAG}]},
        {"tags": [{"name": TAG, "targetCommit": "main"}]},
        {"tags": [{"name": TAG, "targetCommit": ["../" * 5]}]},
        {"branches": "main"},
    ],
)
def test_names_of_commits_that_are_none_are_not_followed(hub, export, tmp_path, changes):
    put(hub, read_files(export))
    page = json.dumps({**REFS, **changes}).encode()
    assert ask(hub, "/refs", page, tmp_path).problem.startswith("the hub's answer is not")


@pytest.mark.parametrize(
    "changes",
    [
        {"size": -1},
        {"size": True},
        {"size": "1"},
        {"size": 1.5},
        {"oid": None},
        {"lfs": "0" * 64},
        {"lfs": {"oid": "0" * 63}},
        {"lfs": {"oid": 5}},
        {"path": ...},
        {"type": ...},
    ],
)
def test_a_listing_that_says_no_size_or_digest_is_not_believed(hub, export, tmp_path, changes):
    put(hub, read_files(export))
    entry = {name: value for name, value in {**FILE, **changes}.items() if value is not ...}
    refusal = ask(hub, "/tree/", json.dumps([entry]).encode(), tmp_path)
    assert refusal.problem.startswith("the hub's answer is not")


def test_a_listing_without_an_end_or_larger_than_the_disk_is_refused(hub, export, tmp_path):
    put(hub, read_files(export))
    many = [{**FILE, "path": f"{number}"} for number in range(101)]
    assert "more than 100 files" in ask(hub, "/tree/", json.dumps(many).encode(), tmp_path).problem
    names = sorted(read_files(export))
    huge = [{**FILE, "path": name, "size": 10**30} for name in names]
    refusal = ask(hub, "/tree/", json.dumps(huge).encode(), tmp_path)
    assert "are free" in refusal.problem
    assert hub.list_asked("/resolve/") == []


@pytest.mark.parametrize(
    ("part", "page"),
    [
        ("/api/repos/create", b"<html>"),
        ("/preupload/", b'{"files": [{"path": "README.md", "uploadMode": "xet"}]}'),
        ("/preupload/", b"[" * 100_000),
        ("/objects/batch", b'{"objects": [5]}'),
        (
            "/objects/batch",
            b'{"objects": [{"oid": "x", "size": 1, "actions": {"upload": {"href": "file:///x"}}}]}',
        ),
        ("/commit/", b"{}"),
        ("/commit/", b'{"commitOid": "main", "commitUrl": "x"}'),
        ("/commit/", b'{"commitOid": "%s", "commitUrl": "http://x"}' % (b"c" * 40)),
        ("/tag/", b"{}"),
    ],
)
def test_an_answer_to_what_was_sent_is_not_believed_either(hub, run, export, part, page):
    hub.pages = {part: page}
    with pytest.raises((HubError, ReleaseDiffersError)):
        publish_run(run, REPO, TAG, Wishes(export=export, is_meant=True))
    assert not any(one.tags for one in hub.repositories.values())
    assert not run.with_name(f"{run.name}.release.json").exists()
