"""What goes into a release, and into which repository: a release's own files, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from cxr.attestation.attest import attest_run
from cxr.attestation.export_signatures import sign_export
from cxr.errors import (
    RecordError,
    ReleaseDiffersError,
    RunDirectoryTakenError,
    StorageError,
    UsageError,
)
from cxr.publication import publish_run as publishing
from cxr.publication.fetch_release import fetch_release
from cxr.publication.publish_run import Wishes, publish_run
from cxr.publication.release_record import add_release
from support.attesting import SIGNER, sign_anew
from support.hub_state import Hub
from support.releases import REPO, TAG, put, read_files, seal_anew, write_small_export


def send(run: Path, export: Path | None, tag: str = TAG, **wishes) -> str | None:
    return publish_run(run, REPO, tag, Wishes(export=export, is_meant=True, **wishes)).commit


def test_what_lies_in_an_export_besides_is_not_sent(hub: Hub, run, export, tmp_path):
    files = read_files(export)
    for name in (".DS_Store", "Thumbs.db", "run.lock"):
        (export / name).write_bytes(b"of a file manager, or left behind")
    (export / "empty").mkdir()
    (export / "evaluations").mkdir()
    (export / "evaluations" / "notes.txt").write_text("mine\n")
    commit = send(run, export)
    assert hub.repositories[REPO].commits[commit].keys() - files.keys() == {".gitattributes"}
    assert fetch_release(f"{REPO}@{TAG}", out=tmp_path / "got").findings == []
    assert read_files(tmp_path / "got") == files


@pytest.mark.parametrize("kind", ["file", "pipe", "link"])
def test_what_an_export_must_not_hold_is_named_by_its_own_place(hub: Hub, run, export, kind):
    other = export / "other"
    if kind == "pipe":
        os.mkfifo(other)
    elif kind == "link":
        other.symlink_to(export / "README.md")
    else:
        other.write_text("added\n")
    with pytest.raises(RecordError, match="the export does not verify: other") as caught:
        send(run, export)
    assert str(export) in caught.value.where
    assert hub.asked == []


@pytest.mark.parametrize("kind", ["junk", "pipe", "another run", "another statement"])
def test_an_attestation_of_something_else_is_not_sent(hub: Hub, run, export, make_run, kind):
    place = run.with_name(f"{run.name}.attestation.json")
    if kind == "junk":
        place.write_text("not an envelope")
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "another run":
        other = make_run(computed=True, weight=0.75)
        shutil.copyfile(attest_run(other, SIGNER).path, place)
    else:
        sign_anew(place, {"_type": "https://in-toto.io/Statement/v1", "subject": []})
    with pytest.raises(RecordError) as caught:
        send(run, export)
    assert caught.value.where == str(place)
    assert "cxr attest" in caught.value.hint
    assert hub.asked == []


def test_a_signature_of_the_export_that_no_longer_fits_is_not_sent(hub: Hub, run, export):
    sign_export(export, SIGNER)
    attest_run(run, SIGNER)  # goes with it, and was not there when the export was signed
    with pytest.raises(RecordError, match=r"export\.attestation\.json does not sign what would"):
        send(run, export)
    assert hub.asked == []
    assert send(run, export, key=SIGNER) is not None


def test_a_run_that_was_replaced_meanwhile_is_not_sent(hub: Hub, run, make_run, monkeypatch):
    other = make_run(computed=True, weight=0.75)

    def export_other(_: Path, directory: Path, **__: object) -> None:
        write_small_export(other, directory)

    monkeypatch.setattr(publishing, "export_run", export_other)
    with pytest.raises(RecordError, match="the run was replaced meanwhile"):
        send(run, None)
    assert hub.asked == []


def damage(run: Path, directory: Path) -> None:
    write_small_export(run, directory)
    (directory / "model.safetensors").write_bytes(b"other weights")


def test_weights_that_changed_while_they_were_exported_are_not_sent(hub: Hub, run, monkeypatch):
    monkeypatch.setattr(publishing, "export_run", lambda run, place, **_: damage(run, place))
    with pytest.raises(RecordError, match=r"does not verify: model\.safetensors was changed"):
        send(run, None)
    assert hub.asked == []


def test_what_others_put_beside_a_release_is_not_removed(hub: Hub, run, export):
    first = send(run, export)
    put(hub, {**hub.repositories[REPO].commits[first], "notes.pdf": b"years of work"}, tag=None)
    (export / "README.md").write_text("the second\n")
    seal_anew(export)
    hub.asked.clear()
    with pytest.raises(ReleaseDiffersError, match=r"something that is no release: notes\.pdf"):
        send(run, export, "v2")
    assert hub.list_asked("POST") == []


@pytest.mark.parametrize("name", ["main", "draft"])
def test_a_tag_is_not_named_as_a_branch(hub: Hub, run, export, name):
    put(hub, read_files(export), tag=None)
    hub.repositories[REPO].branches["draft"] = hub.repositories[REPO].branches["main"]
    with pytest.raises(UsageError, match="a branch has that name"):
        send(run, export, name)
    assert hub.list_asked("POST") == []


def test_names_that_are_no_text_are_searched_for_all_the_same(
    hub: Hub, run, export, tmp_path, monkeypatch
):
    odd = tmp_path / os.fsdecode(b"r\xff n")
    shutil.move(run, odd)
    monkeypatch.setenv("HOME", os.fsdecode(b"/h\xff"))
    assert send(odd, export) is not None
    for written in (os.fsencode(odd), json.dumps(str(odd)).encode()):
        (export / "README.md").write_bytes(b"Trained in " + written + b".\n")
        seal_anew(export)
        hub.asked.clear()
        with pytest.raises(RecordError, match=r"README\.md holds a place on this machine"):
            send(odd, export, "v2")
        assert hub.asked == []


def test_hints_name_the_option_that_publishing_has(hub: Hub, run, export, tmp_path):
    with pytest.raises(RunDirectoryTakenError, match="into another record") as caught:
        send(run, export, release=run / "release.json")
    assert "--record" in caught.value.hint
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught:
        send(run, export, release=tmp_path / "file" / "release.json")
    assert "--record" in caught.value.hint
    with pytest.raises(StorageError) as caught:
        add_release(
            tmp_path / "nowhere" / "release.json",
            dict.fromkeys(("endpoint", "repo", "tag", "commit"), "x"),
        )
    assert "--record" in caught.value.hint
    assert hub.asked == []


def test_an_export_in_place_of_the_run_is_refused_with_what_to_do(hub: Hub, export):
    with pytest.raises(RecordError, match="the export of a run, not the run") as caught:
        send(export, None)
    assert "--export" in caught.value.hint
    assert hub.asked == []


@pytest.mark.parametrize(
    ("option", "wish"),
    [
        ("--license", {"license_name": "mit"}),
        ("--onnx", {"onnx": True}),
        ("--data", {"root": Path("/data")}),
    ],
)
def test_a_wish_that_would_do_nothing_is_refused(hub: Hub, run, export, option, wish):
    with pytest.raises(UsageError, match=f"{option} would do nothing"):
        send(run, export, **wish)
    assert hub.asked == []


@pytest.mark.parametrize("is_public", [True, False])
def test_a_new_repository_is_for_everybody_to_see_only_where_that_is_said(
    hub: Hub, run, export, is_public
):
    send(run, export, is_public=is_public)
    assert hub.repositories[REPO].private is not is_public
