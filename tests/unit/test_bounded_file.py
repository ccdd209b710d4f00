from __future__ import annotations

import os

import pytest

from cxr.bounded_file import read_bounded


def test_a_file_of_just_that_size_is_read_and_a_link_to_it(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("a")
    assert read_bounded(tmp_path / "a", max_bytes=5) == b"12345"
    assert read_bounded(tmp_path / "link", max_bytes=5) == b"12345"
    with pytest.raises(OSError, match="it is larger than 0 MiB"):
        read_bounded(tmp_path / "a", max_bytes=4)


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link"):
        with pytest.raises(OSError, match="it is no regular file"):
            read_bounded(path, max_bytes=9)
    with pytest.raises(OSError, match="Is a directory"):
        read_bounded(tmp_path, max_bytes=9)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "nothing", max_bytes=9)


def test_a_pipe_that_takes_its_place_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    found = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(type(path), "stat", lambda *_, **__: found)
    with pytest.raises(OSError, match="it is no regular file"):
        read_bounded(path, max_bytes=9)
