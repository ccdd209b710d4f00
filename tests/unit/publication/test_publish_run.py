"""Publishing against a hub that is empty, full, busy, changed by others, or breaks off."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from cxr.attestation.attest import attest_run
from cxr.errors import CxrError, HubError, Interrupted, RecordError, ReleaseDiffersError, UsageError
from cxr.publication import publish_run as publishing
from cxr.publication.publish_run import Publication, Wishes, publish_run
from support.attesting import SIGNER
from support.hub_state import ATTRIBUTES, TOKEN, Hub
from support.releases import REPO, TAG, put, read_files, seal_anew, set_changed_code

SCHEMA = Path(__file__).parents[3] / "docs" / "formats" / "release.schema.json"


@pytest.fixture
def ask(hub: Hub, run: Path, export: Path):  # noqa: ARG001 - it is the hub that is asked
    def publish(tag: str = TAG, *, sent: bool = True, **wishes) -> Publication:
        return publish_run(run, REPO, tag, Wishes(export=export, is_meant=sent, **wishes))

    return publish


def read_releases(run: Path) -> list[dict]:
    return json.loads(run.with_name(f"{run.name}.release.json").read_bytes())["releases"]


def list_changes(found: Publication) -> dict[str, str]:
    return {one.name: one.change for one in found.plan.files}


def test_a_dry_run_changes_nothing(hub, ask, run):
    found = ask(sent=False)
    assert (found.is_sent, found.commit, found.release) == (False, None, None)
    assert hub.repositories == {}
    assert [line for _, line, _ in hub.asked] == [f"GET /api/models/{REPO}/refs"]
    assert not run.with_name(f"{run.name}.release.json").exists()


def test_large_files_go_elsewhere_without_the_token_and_nothing_else_is_asked(hub, ask, run):
    found = ask()
    assert {name for name, _, token in hub.asked if token == f"Bearer {TOKEN}"} == {"hub"}
    assert {token for name, _, token in hub.asked if name == "storage"} == {None}
    assert [line for _, line, _ in hub.asked if "/api/agent" in line] == []
    assert hub.repositories[REPO].tags == {TAG: found.commit}
    assert [one["commit"] for one in read_releases(run)] == [found.commit]


def test_a_second_release_holds_its_own_files_and_the_first_stays(hub, ask, export, run):
    (export / "model.onnx").write_bytes(b"onnx")
    seal_anew(export)
    first = ask()
    (export / "model.onnx").unlink()
    (export / "README.md").write_text("the second\n")
    seal_anew(export)
    planned = ask("v2", sent=False)
    changed = {name for name, change in list_changes(planned).items() if change != "same"}
    assert changed == {"README.md", "export.json"}
    assert planned.plan.removed == ("model.onnx",)
    second = ask("v2")
    commits = hub.repositories[REPO].commits
    assert commits[second.commit] == {**read_files(export), ".gitattributes": ATTRIBUTES}
    assert commits[first.commit]["model.onnx"] == b"onnx"
    assert [one["tag"] for one in read_releases(run)] == [TAG, "v2"]


def test_the_release_record_is_what_its_schema_says(ask, run):
    ask()
    record = json.loads(run.with_name(f"{run.name}.release.json").read_bytes())
    schema = json.loads(SCHEMA.read_bytes())
    jsonschema.Draft202012Validator(schema).validate(record)
    del record["releases"][0]["commit"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(record)


def test_equal_content_is_not_sent_again(hub, ask, run):
    first = ask()
    hub.asked.clear()
    run.with_name(f"{run.name}.release.json").unlink()
    again = ask()
    assert (again.is_sent, again.commit) == (False, first.commit)
    assert [line for _, line, _ in hub.asked if not line.startswith("GET")] == []
    assert [one["commit"] for one in read_releases(run)] == [first.commit]
    third = ask("same-again")
    assert third.commit == first.commit
    assert [line for line in hub.list_asked("POST") if "/tag/" not in line] == []


def test_a_tag_keeps_its_content(hub, ask, export):
    first = ask()
    (export / "README.md").write_text("better words\n")
    seal_anew(export)
    hub.asked.clear()
    said = "the tag is there already, with other content: README.md, export.json"
    with pytest.raises(ReleaseDiffersError, match=said):
        ask()
    assert hub.repositories[REPO].tags == {TAG: first.commit}
    assert hub.list_asked("POST") == []


@pytest.mark.parametrize(
    ("part", "uploads", "commits"),
    [("preupload", 1, 2), ("/commit/", 1, 2), ("/tag/", 1, 2)],
)
def test_what_broke_off_goes_on_when_it_is_done_again(hub, ask, run, part, uploads, commits):
    hub.statuses = {f"POST /api/models/{REPO}{'/' * (part[0] != '/')}{part}": [400]}
    with pytest.raises(HubError, match="the hub refuses, with status 400"):
        ask()
    assert hub.repositories[REPO].tags == {}
    found = ask()
    assert hub.repositories[REPO].tags == {TAG: found.commit}
    # The large file was sent once, and one commit made beside the hub's own.
    assert len(hub.list_asked("PUT")) == uploads
    assert len(hub.repositories[REPO].commits) == commits
    assert len(read_releases(run)) == 1


def test_a_busy_storage_is_asked_again(hub, ask, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    hub.statuses = {"PUT": [503]}
    assert ask().is_sent
    assert len(hub.list_asked("PUT")) == 2


def test_a_signal_between_two_pieces_stops_it(hub, ask, run, export):
    class Stopping:
        def advance(self, what: str, done: int, total: int) -> None:
            raise Interrupted(f"{what}: {done} of {total}", where="here", hint="again")

        def note(self, text: str) -> None:
            raise AssertionError(text)

    wishes = Wishes(export=export, is_meant=True)
    with pytest.raises(Interrupted, match="bytes sent"):
        publish_run(run, REPO, TAG, wishes, progress=Stopping())
    assert hub.repositories[REPO].tags == {}
    assert ask().is_sent


def test_what_others_commit_in_between_is_not_overwritten(hub, ask):
    ask()
    moved = []

    def commit_too(line: str) -> None:
        if "preupload" in line and not moved:
            moved.append(put(hub, {"export.json": b"{}", "README.md": b"theirs"}, tag=None))

    hub.on_answer = commit_too
    with pytest.raises(HubError, match="412: the repository was changed in between"):
        ask("v2", key=SIGNER)
    assert hub.repositories[REPO].branches["main"] == moved[0]
    assert "v2" not in hub.repositories[REPO].tags


def test_a_file_that_the_hub_leaves_out_is_seen_before_the_tag(hub, ask):
    put(hub, {"export.json": b"{}"}, tag=None)
    hub.on_answer = lambda line: (
        hub.repositories[REPO]
        .commits[hub.repositories[REPO].branches["main"]]
        .update({".gitignore": b"README.md\n"})
        if "preupload" in line
        else None
    )
    with pytest.raises(ReleaseDiffersError, match=r"something else than what was sent: .*README"):
        ask()
    assert hub.repositories[REPO].tags == {}


def test_a_repository_of_something_else_is_left_alone(hub, ask):
    put(hub, {"thesis.pdf": b"years of work"}, tag=None)
    with pytest.raises(
        ReleaseDiffersError, match=r"holds something that is no release: thesis\.pdf"
    ):
        ask()
    assert hub.list_asked("POST") == []


def test_an_export_of_another_run_or_an_edited_one_is_refused(hub, ask, export, make_run):
    other = make_run(computed=True, weight=0.75)
    with pytest.raises(RecordError, match="the export is of another run"):
        publish_run(other, REPO, TAG, Wishes(export=export, is_meant=True))
    (export / "README.md").write_text("edited\n")
    with pytest.raises(RecordError, match=r"the export does not verify: README\.md was changed"):
        ask()
    assert hub.asked == []


def test_the_attestation_beside_the_run_goes_with_it(hub, ask, run):
    path = attest_run(run, SIGNER).path
    found = ask()
    held = hub.repositories[REPO].commits[found.commit]
    assert held["attestation.json"] == path.read_bytes()


def test_code_that_was_changed_is_published_only_with_words(hub, run, export, monkeypatch):
    set_changed_code(run, dirty=True)
    with pytest.raises(UsageError, match="code that was changed since its commit"):
        publish_run(run, REPO, TAG, Wishes(export=export))
    given = {}

    def stop(*_: object, **options: object) -> None:
        given.update(options)
        raise RecordError("far enough", where="here", hint="none")

    monkeypatch.setattr(publishing, "export_run", stop)
    with pytest.raises(RecordError, match="far enough"):
        publish_run(run, REPO, TAG, Wishes(changed_code="a seed was printed"))
    assert given["changed_code"] == "a seed was printed"
    assert hub.asked == []


@pytest.mark.parametrize("words", ["", "two\nlines", "x" * 501, f"token {TOKEN}", "/home/anna/x"])
def test_words_that_are_none_or_tell_too_much_are_refused(hub, run, words):
    with pytest.raises(UsageError) as caught:
        publish_run(run, REPO, TAG, Wishes(changed_code=words))
    assert caught.value.where == "--changed-code"
    assert TOKEN not in str(caught.value)
    assert hub.asked == []


def test_a_place_on_this_machine_is_not_sent(hub, ask, run, export):
    (export / "README.md").write_text(f"Trained in {run}.\n")
    seal_anew(export)
    with pytest.raises(RecordError, match=r"README\.md holds a place on this machine"):
        ask()
    assert hub.asked == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://me:secret@hub.example",
        "hub.example",
        "ftp://hub.example",
        "http://a:99999",
        "http://[",
    ],
)
def test_an_address_that_is_none_or_holds_a_password_is_refused(hub, ask, monkeypatch, endpoint):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    with pytest.raises(UsageError, match="the hub's address") as caught:
        ask()
    assert "secret" not in str(caught.value)
    assert hub.asked == []


def test_nobody_can_publish_without_a_token(hub, ask, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    with pytest.raises(CxrError) as caught:
        ask()
    assert "HF_TOKEN" in caught.value.hint
    assert hub.repositories == {}


def test_an_edited_record_of_releases_stops_it_before_the_hub_is_asked(hub, ask, run):
    place = run.with_name(f"{run.name}.release.json")
    place.write_text(json.dumps({"schema": "cxr.release/1", "releases": []}))
    with pytest.raises(RecordError, match="the record of releases was edited"):
        ask()
    assert hub.asked == []
