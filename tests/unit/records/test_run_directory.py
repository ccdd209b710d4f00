from __future__ import annotations

from datetime import UTC, datetime

import filelock
import pytest

from cxr.errors import RunDirectoryError, StorageError
from cxr.records.run_directory import LOCK, hold_lock, list_files, name_run, remove_half_written


def test_a_run_is_named_after_config_time_and_recipe():
    now = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert name_run("sample", "sha256:0123456789abcdef", now) == "sample-20250102T030405Z-01234567"


def test_one_writer_holds_the_lock_and_leaves_none_behind(tmp_path):
    with hold_lock(tmp_path):
        assert (tmp_path / LOCK).exists()
        with (
            pytest.raises(RunDirectoryError, match="another process is writing") as caught,
            hold_lock(tmp_path),
        ):
            pass
        assert caught.value.where == str(tmp_path)
        assert caught.value.hint == "wait for it to end"
        with (
            pytest.raises(RunDirectoryError) as caught,
            hold_lock(tmp_path, option="--out"),
        ):
            pass
        assert caught.value.hint == "wait for it to end, or name another directory with --out"
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
