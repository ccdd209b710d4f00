from __future__ import annotations

import errno
import hashlib
import os

import pytest

from cxr.data.caches import growing_file
from cxr.data.caches.growing_file import GrowingFile, name_parts
from cxr.errors import StorageError

ITEMS = [bytes([i]) * 10 for i in range(20)]
WHOLE = b"".join(ITEMS)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(growing_file, "BLOCK_BYTES", 30)
    return tmp_path / "pixels"


class Killed(BaseException):
    """Whatever ends a writer."""


def write(path, *, until=None):
    """Write on from what is there; return how many items were there."""
    with GrowingFile(path) as file:
        kept = file.kept_bytes // 10
        for number, item in enumerate(ITEMS[kept:], start=kept):
            if number == until:
                raise Killed
            file.append(item)
        assert file.finish() == "sha256:" + hashlib.sha256(WHOLE).hexdigest()
    return kept


def is_whole(path):
    return path.read_bytes() == WHOLE and list(path.parent.iterdir()) == [path]


def test_it_is_there_when_it_is_whole(path):
    assert write(path) == 0
    assert is_whole(path)


@pytest.mark.parametrize("until", range(1, 20))
def test_whoever_is_interrupted_goes_on_with_the_next_item(path, until):
    with pytest.raises(Killed):
        write(path, until=until)
    assert not path.exists()
    assert write(path) == until
    assert is_whole(path)


def test_an_interrupt_before_the_first_item_leaves_nothing(path):
    with pytest.raises(Killed):
        write(path, until=0)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("is_flushed", [False, True])
@pytest.mark.parametrize("last", range(14))
def test_whoever_is_interrupted_while_a_block_is_written_writes_it_once(
    path, monkeypatch, last, is_flushed
):
    """A second Ctrl-C comes in the n-th flush to the disk, and what follows still happens."""
    real, calls = os.fsync, []

    def fsync(number):
        calls.append(number)
        if len(calls) == last + 1:
            if is_flushed:
                real(number)
            raise Killed
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Killed):
        write(path)
    monkeypatch.undo()
    write(path)
    assert path.read_bytes() == WHOLE


def test_whoever_is_killed_at_any_write_goes_on_from_a_sound_block(path, monkeypatch):
    """The process is gone at its n-th flush to the disk: nothing after that happens."""
    real, resumed = os.fsync, []
    for last in range(14):
        calls = []

        def fsync(number, calls=calls, last=last):
            if len(calls) >= last:
                raise Killed
            calls.append(number)
            real(number)

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(Killed):
            write(path)
        monkeypatch.setattr(os, "fsync", real)
        resumed.append(write(path))
        assert is_whole(path)
        path.unlink()
    assert resumed == sorted(resumed)
    assert resumed[-1] >= 18


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, lambda content: content[:35] + b"\xff" + content[36:]),
        (0, lambda content: content[:35]),
        (1, lambda content: content[:-9]),
        (1, lambda content: content.replace(b'"bytes":30', b'"bytes":31', 2)),
        (1, lambda content: content.splitlines(keepends=True)[0] + b"[]\n"),
    ],
)
def test_what_is_damaged_is_written_again(path, place, change):
    with pytest.raises(Killed):
        write(path, until=9)
    part = name_parts(path)[place]
    part.write_bytes(change(part.read_bytes()))
    assert write(path) < 9
    assert is_whole(path)


def test_a_full_disk_is_explained(path, monkeypatch):
    def refuse(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="cannot write: No space left on device"):
        write(path)
    monkeypatch.undo()
    monkeypatch.setattr(growing_file, "BLOCK_BYTES", 30)
    write(path)
    assert is_whole(path)
