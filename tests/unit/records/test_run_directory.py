from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import filelock
import pytest

from cxr.errors import ExitCode, RunDirectoryError, RunDirectoryTakenError, StorageError
from cxr.records import run_directory
from cxr.records.run_directory import (
    LOCK,
    create_directory,
    create_named,
    hold_lock,
    list_files,
    name_run,
    remove_half_written,
    require_writable,
)


def test_a_run_is_named_after_config_time_and_recipe():
    now = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert name_run("sample", "sha256:0123456789abcdef", now) == "sample-20250102T030405Z-01234567"


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
    monkeypatch.setattr(run_directory.os, "access", lambda place, _: place != tmp_path)
    with pytest.raises(StorageError, match="cannot write: Permission denied"):
        require_writable(tmp_path / "runs" / "one")


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
    with pytest.raises(RunDirectoryTakenError, match="a file stands where the run would be"):
        create_directory(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot write: Not a directory"):
        create_directory(tmp_path / "file" / "inner")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


def test_one_writer_holds_the_lock_and_leaves_none_behind(tmp_path):
    with hold_lock(tmp_path):
        assert (tmp_path / LOCK).exists()
        with (
            pytest.raises(RunDirectoryError, match="another process is writing") as caught,
            hold_lock(tmp_path),
        ):
            pass
        assert caught.value.where == str(tmp_path)
        assert (tmp_path / LOCK).exists()
    assert not (tmp_path / LOCK).exists()


def test_the_locks_file_is_gone_before_it_is_let_go(tmp_path, monkeypatch):
    # Let go first, it could be another process's lock by the time that it is removed.
    there = []
    release = filelock.FileLock.release
    monkeypatch.setattr(
        filelock.FileLock,
        "release",
        lambda lock: (there.append((tmp_path / LOCK).exists()), release(lock)),
    )
    with hold_lock(tmp_path):
        pass
    assert there[0] is False


def test_the_lock_is_let_go_when_the_writer_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path):
        _ = 1 / 0
    with hold_lock(tmp_path):
        pass


def test_a_lock_left_by_a_killed_process_is_in_nobodys_way(tmp_path):
    (tmp_path / LOCK).touch()
    with hold_lock(tmp_path):
        pass


def test_a_lock_that_cannot_be_made_is_an_error_of_ours(tmp_path):
    (tmp_path / LOCK).mkdir()
    with pytest.raises((RunDirectoryError, StorageError)), hold_lock(tmp_path):
        pass


def test_files_are_listed_in_name_order(tmp_path):
    for name in ("b", "a/z", "a/y", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in list_files(tmp_path)]
    assert names == ["a/y", "a/z", "b", "c"]


def test_only_what_a_killed_writer_left_is_removed(tmp_path):
    kept = ["notes.txt", "manifest.json", ".tmp", "x.tmp"]
    kept += ["checkpoints/step-000000003.json", "checkpoints/step-000000003.safetensors"]
    left = [
        ".manifest.json.1.tmp",
        "checkpoints/.step-000000006.safetensors.1.tmp",
        "checkpoints/step-000000006.safetensors",
    ]
    for name in [*kept, *left]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    remove_half_written(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path).as_posix() for path in files} == set(kept) - {".tmp"}
