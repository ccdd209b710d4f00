from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from cxr.errors import ExitCode, RunDirectoryTakenError, StorageError
from cxr.records import free_place
from cxr.records.free_place import (
    create_directory,
    create_named,
    require_free,
    require_outside_records,
    require_writable,
)


def test_a_new_directory_is_made_with_its_parents(tmp_path):
    create_directory(tmp_path / "runs" / "one")
    assert (tmp_path / "runs" / "one").is_dir()


def test_an_empty_directory_is_taken(tmp_path):
    create_directory(tmp_path)


def test_directories_of_one_name_are_numbered(tmp_path):
    for name in ("one", "one-2", "one-3"):
        assert create_named("one", tmp_path / "runs") == tmp_path / "runs" / name
    assert len(list((tmp_path / "runs").iterdir())) == 3


def test_processes_that_ask_for_one_name_at_once_get_directories_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_named("one", tmp_path), range(40)))
    assert len(set(made)) == 40


def test_a_name_that_cannot_be_made_is_an_error_of_ours(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(StorageError, match="cannot write"):
        create_named("one", tmp_path / "runs")


def test_a_path_that_can_be_written_is_left_as_it_is(tmp_path):
    require_writable(tmp_path / "runs" / "one")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write: Not a directory") as caught:
        require_writable(tmp_path / "file" / "runs" / "one")
    assert caught.value.where == str(tmp_path / "file" / "runs" / "one")
    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr(free_place.os, "access", lambda place, _: place != tmp_path)
    with pytest.raises(StorageError, match="cannot write: Permission denied"):
        require_writable(tmp_path / "runs" / "one")


def test_a_file_system_that_is_read_only_is_told_from_a_lack_of_permissions(tmp_path, monkeypatch):
    read_only = os.statvfs_result((*os.statvfs(tmp_path)[:8], os.ST_RDONLY, 255))
    monkeypatch.setattr(free_place.os, "access", lambda *_: False)
    monkeypatch.setattr(free_place.os, "statvfs", lambda _: read_only)
    with pytest.raises(StorageError, match="cannot write: Read-only file system"):
        require_writable(tmp_path / "runs" / "one")


@pytest.mark.parametrize("option", ["--record", None])
def test_a_hint_names_no_option_that_the_command_does_not_have(tmp_path, monkeypatch, option):
    monkeypatch.setattr(free_place.os, "access", lambda *_: False)
    with pytest.raises(StorageError) as caught:
        require_writable(tmp_path / "one", option=option)
    elsewhere = f", or write elsewhere ({option})" if option else ""
    assert caught.value.hint == f"check the path and its permissions{elsewhere}"


def test_a_name_or_a_directory_that_cannot_be_made_names_the_commands_own_option(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as named:
        create_named("one", tmp_path / "file", option="--record")
    with pytest.raises(StorageError) as made:
        create_directory(tmp_path / "file" / "one", option="--record")
    assert [caught.value.hint.endswith("(--record)") for caught in (named, made)] == [True, True]


@pytest.mark.parametrize("name", ["manifest.json", ".hidden"])
def test_a_directory_that_holds_something_is_refused_and_left(tmp_path, name):
    (tmp_path / name).write_text("kept", encoding="utf-8")
    with pytest.raises(RunDirectoryTakenError, match="of the repeat already exists") as caught:
        create_directory(tmp_path, what="repeat")
    assert caught.value.where == str(tmp_path)
    assert caught.value.exit_code is ExitCode.USAGE
    assert (tmp_path / name).read_text(encoding="utf-8") == "kept"


def test_a_file_in_the_way_is_refused_and_left(tmp_path):
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    with pytest.raises(RunDirectoryTakenError, match="a file or a broken link stands"):
        create_directory(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot write: Not a directory"):
        create_directory(tmp_path / "file" / "inner")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


def test_a_link_to_nothing_is_refused_and_left(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunDirectoryTakenError, match="a file or a broken link stands"):
        create_directory(tmp_path / "link")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "files",
    [("manifest.json", "env.json"), ("repeat.json",), ("reproduction.json",), ("export.json",)],
)
def test_nothing_is_written_into_any_record(tmp_path, files):
    inside = tmp_path / "record/deep/below"
    inside.mkdir(parents=True)
    require_outside_records(inside, what="table")
    for name in files:
        (tmp_path / "record" / name).touch()
    with pytest.raises(RunDirectoryTakenError, match="the table would be written into") as refused:
        require_outside_records(inside, what="table", option="--csv")
    assert "--csv" in refused.value.hint


def test_the_runs_of_a_repeat_lie_inside_its_record(tmp_path):
    (tmp_path / "repeat.json").touch()
    require_free(tmp_path / "run-1")
    for name in ("manifest.json", "env.json"):
        (tmp_path / name).touch()
    with pytest.raises(RunDirectoryTakenError):
        require_free(tmp_path / "run-1")


def test_no_record_is_written_into_an_export(tmp_path):
    require_free(tmp_path / "export" / "run")
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "export.json").touch()
    require_free(tmp_path / "beside")
    with pytest.raises(RunDirectoryTakenError, match="into an export or a release"):
        require_free(tmp_path / "export" / "run")
