"""What is refused before anything is computed, and how a changed export is told."""

from __future__ import annotations

import json
import os

import pytest

from cxr.errors import RecordError, RunDirectoryTakenError, StorageError, UsageError
from cxr.records.exported import EXPORT
from cxr.release.export_record import load_export_record
from cxr.release.export_run import export_run
from cxr.release.verify_export import verify_export
from support.releases import write_small_export


def test_a_place_that_cannot_make_way_is_refused(make_run, tmp_path, monkeypatch):
    run = make_run()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("full", "file", "link", "here"):
        with pytest.raises(RunDirectoryTakenError) as found:
            export_run(run, tmp_path / name)
        assert found.value.where == str(tmp_path / name)
        assert found.value.hint.startswith(("name another directory", "name a new directory"))
    with pytest.raises(RunDirectoryTakenError, match="into another record"):
        export_run(run, run / "export")


def test_a_place_that_cannot_be_written_is_told_without_an_option_that_nobody_has(
    make_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageError) as caught:
        export_run(make_run(), tmp_path / "export")
    assert caught.value.hint == "check the path and its permissions"


def test_a_run_that_did_not_complete_is_refused(make_run, tmp_path):
    with pytest.raises(RecordError, match="did not complete: its status is failed"):
        export_run(make_run(status="failed"), tmp_path / "export")


def test_a_licence_that_is_no_identifier_is_refused(make_run, tmp_path):
    with pytest.raises(UsageError, match="no identifier"):
        export_run(make_run(), tmp_path / "export", license_name="mit\ntags: [x]")


@pytest.fixture
def export(make_run, tmp_path):
    """An export of a run that nobody trained."""
    return write_small_export(make_run(computed=True), tmp_path / "export")


def test_changed_added_missing_and_linked_files_are_named(export, tmp_path):
    assert verify_export(export).findings == []
    (export / "config.json").write_bytes(b"{}")
    (export / "added.py").write_bytes(b"")
    (export / "labels.json").unlink()
    (export / "README.md").unlink()
    (tmp_path / "elsewhere").write_bytes(b"")
    (export / "README.md").symlink_to(tmp_path / "elsewhere")
    assert {one.path: one.problem for one in verify_export(export).findings} == {
        "README.md": "is a link, a directory or no regular file",
        "added.py": "was added: export.json does not name it",
        "config.json": "was changed: its bytes have another digest",
        "labels.json": "is missing",
    }


@pytest.mark.parametrize(
    "edit",
    [
        lambda record: record.update(name="y"),
        lambda record: record["files"].pop("config.json"),
        lambda record: record.update(files=[]),
    ],
    ids=["field", "file", "type"],
)
def test_an_edited_record_is_refused(export, edit):
    record = json.loads((export / EXPORT).read_bytes())
    edit(record)
    (export / EXPORT).write_text(json.dumps(record))
    with pytest.raises(RecordError, match="was edited"):
        load_export_record(export)


def test_something_else_is_no_record(export):
    (export / EXPORT).write_text("{}")
    with pytest.raises(RecordError, match="not an export"):
        load_export_record(export)
