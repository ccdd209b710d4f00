from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

import pytest

from cxr import atomic
from cxr.atomic import (
    append_whole,
    atomic_writer,
    create_file,
    make_directory,
    output_writer,
    write_bytes,
    write_output,
    write_text,
)
from cxr.errors import StorageError, UsageError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(b"old")
    return path


def fail_with(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


def require_untouched(file):
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def write_half(file, problem):
    with atomic_writer(file) as stream:
        stream.write(b"half")
        raise problem


def test_content_is_replaced_and_nothing_else_is_left(file):
    write_bytes(file, b"new")
    assert file.read_bytes() == b"new"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_text_keeps_its_line_ends_and_is_utf_8(file):
    write_text(file, "ä\r\nb\n")
    assert file.read_bytes() == "ä\r\nb\n".encode()


def test_a_reader_sees_the_old_content_until_the_block_ends(file):
    with atomic_writer(file) as stream:
        stream.write(b"half")
        stream.flush()
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"half"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, StorageError])
def test_a_block_that_fails_leaves_the_old_content(file, error):
    problem = error("x", where="", hint="") if error is StorageError else error("x")
    with pytest.raises(error):
        write_half(file, problem)
    require_untouched(file)


@pytest.mark.parametrize("function", ["fsync", "open"])
def test_a_disk_that_fails_leaves_the_old_content(file, monkeypatch, function):
    if function == "open":
        monkeypatch.setattr(Path, "open", fail_with(errno.EACCES))
    else:
        monkeypatch.setattr(atomic.os, function, fail_with(errno.EIO))
    with pytest.raises(StorageError, match="cannot write: ") as caught:
        write_bytes(file, b"new")
    assert caught.value.where == str(file)
    monkeypatch.undo()
    require_untouched(file)


def test_a_rename_that_fails_leaves_the_old_content(file, monkeypatch):
    monkeypatch.setattr(Path, "replace", fail_with(errno.EPERM))
    with pytest.raises(StorageError, match="cannot write: Operation not permitted"):
        write_bytes(file, b"new")
    require_untouched(file)


def test_content_reaches_the_disk_before_its_name_does(file, monkeypatch):
    done = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor):
        found = os.fstat(descriptor)
        done.append("directory" if stat.S_ISDIR(found.st_mode) else f"{found.st_size} bytes")
        fsync(descriptor)

    def noted_replace(self, target):
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(atomic.os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_bytes(file, b"newer")
    assert done == ["5 bytes", "rename", "directory"]


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space"),
        (errno.EROFS, "check the path and its permissions"),
    ],
)
def test_the_hint_tells_a_full_disk_from_a_forbidden_one(file, monkeypatch, number, hint):
    monkeypatch.setattr(Path, "open", fail_with(number))
    with pytest.raises(StorageError) as caught:
        write_bytes(file, b"new")
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("number", "hint", "without"),
    [
        (errno.ENOSPC, "free space there{}, and start again", ", or name another place"),
        (errno.EROFS, "check the path and its permissions{}", ""),
    ],
)
def test_the_hint_names_an_option_only_where_there_is_one(file, monkeypatch, number, hint, without):
    monkeypatch.setattr(Path, "open", fail_with(number))
    for option, elsewhere in ((None, without), ("--out", ", or write elsewhere (--out)")):
        with pytest.raises(StorageError) as caught:
            write_bytes(file, b"new", option=option)
        assert caught.value.hint == hint.format(elsewhere)


@pytest.mark.parametrize("name", ["nothing/file", "."])
def test_the_hint_names_the_option_that_named_the_file(tmp_path, name):
    with (
        pytest.raises((StorageError, UsageError)) as caught,
        output_writer(tmp_path / name, option="--csv"),
    ):
        pytest.fail("it was opened")
    assert "--csv" in caught.value.hint
    assert "--out" not in caught.value.hint


def test_a_directory_that_is_missing_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot write: No such file or directory"):
        write_bytes(tmp_path / "nothing" / "file", b"")


def test_a_parent_that_is_a_file_is_a_storage_error(file):
    with pytest.raises(StorageError, match="cannot write: Not a directory"):
        write_bytes(file / "inner", b"")
    with pytest.raises(StorageError, match="cannot write: "):
        make_directory(file / "inner")
    require_untouched(file)


def test_a_directory_and_its_parents_are_made_once(tmp_path):
    make_directory(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "file").touch()
    make_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "file").exists()


class FillingDisk(io.FileIO):
    """A file that takes three bytes at a time, and no more than ``room`` in all."""

    room = 10**6

    def write(self, content):
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = super().write(bytes(content[: min(3, self.room)]))
        self.room -= taken
        return taken


def test_what_is_appended_is_appended_whole(file):
    with FillingDisk(file, "ab") as stream:
        append_whole(file, stream, b" and ten more")
    assert file.read_bytes() == b"old and ten more"


@pytest.mark.parametrize("room", [0, 1, 7, 12])
def test_what_cannot_be_appended_whole_is_not_appended(file, room):
    with FillingDisk(file, "ab") as stream:
        stream.room = room
        with pytest.raises(StorageError, match="cannot write: No space left") as caught:
            append_whole(file, stream, b" and ten more")
        assert caught.value.where == str(file)
        assert file.read_bytes() == b"old"
        stream.room = 100
        append_whole(file, stream, b"er")
    assert file.read_bytes() == b"older"


def test_through_a_link_that_the_user_named_its_target_is_written(file):
    link = file.with_name("link.json")
    link.symlink_to(file.name)
    write_output(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"


def test_what_is_no_file_is_written_to_and_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_output(pipe, b"new")
        assert os.read(reading, 10) == b"new"
    finally:
        os.close(reading)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_output(Path(os.devnull), b"new")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize("name", ["", ".", "inner"])
def test_a_directory_is_no_output(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner").mkdir()
    with pytest.raises(UsageError, match="a directory stands where the file would be written"):
        write_output(Path(name), b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_new_file_has_its_content_and_permissions(tmp_path, mode):
    create_file(tmp_path / "key", b"new", mode=mode, option="--out")
    assert (tmp_path / "key").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == mode
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("target", ["record.json", "nothing"])
def test_a_new_file_takes_nobodys_place(file, target):
    with pytest.raises(FileExistsError):
        create_file(file, b"new", mode=0o600, option="--out")
    require_untouched(file)
    link = file.with_name("link")
    link.symlink_to(target)
    with pytest.raises(FileExistsError):
        create_file(link, b"new", mode=0o600, option="--out")
    assert link.is_symlink()
    link.unlink()
    require_untouched(file)


@pytest.mark.parametrize("function", ["fsync", "link"])
def test_a_new_file_that_cannot_be_finished_is_none(tmp_path, monkeypatch, function):
    monkeypatch.setattr(atomic.os, function, fail_with(errno.EPERM))
    with pytest.raises(StorageError, match="cannot write: Operation not permitted"):
        create_file(tmp_path / "key", b"new", mode=0o600, option="--out")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_does_not_keep_a_new_file_from_being_made(tmp_path):
    left = tmp_path / f".key.{os.getpid()}.tmp"
    left.write_bytes(b"half")
    left.chmod(0o644)
    create_file(tmp_path / "key", b"new", mode=0o600, option="--out")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
