from __future__ import annotations

import os
import socket
import tracemalloc

import pytest

from cxr.data.decoding.image_file import MAX_IMAGE_BYTES, read_image
from cxr.data.decoding.open_picture import MAX_PIXELS
from cxr.errors import DataError


def test_the_bytes_of_a_file_are_read_through_links_too(tmp_path):
    (tmp_path / "a.png").write_bytes(b"bytes")
    (tmp_path / "b.png").symlink_to("a.png")
    assert read_image(tmp_path / "a.png") == read_image(tmp_path / "b.png") == b"bytes"


def listen(path, monkeypatch):
    # The path of a socket may not be long.
    monkeypatch.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda *_: None, "No such file or directory"),
        (lambda path, _: path.symlink_to("nothing"), "No such file or directory"),
        (lambda path, _: path.symlink_to(path.name), "Too many levels of symbolic links"),
        (lambda path, _: path.mkdir(), "it is a directory"),
        (lambda path, _: os.mkfifo(path), "it is a named pipe"),
        (lambda path, _: path.symlink_to("/dev/zero"), "it is a device"),
        (listen, "it is a socket"),
    ],
    ids=["nothing", "lost link", "link to itself", "directory", "pipe", "device", "socket"],
)
def test_what_is_no_file_is_refused_and_not_opened(tmp_path, monkeypatch, make, problem):
    file = tmp_path / "a.png"
    make(file, monkeypatch)
    with pytest.raises(DataError, match="cannot read an image") as caught:
        read_image(file)
    assert caught.value.problem == f"cannot read an image: {problem}"
    assert caught.value.where == str(file)


def test_a_file_that_no_image_fills_is_refused_before_it_is_read(tmp_path):
    file = tmp_path / "a.png"
    with file.open("wb") as stream:
        stream.truncate(MAX_IMAGE_BYTES + 1)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="it is larger than 1,024 MiB"):
            read_image(file)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_what_can_be_decoded_is_never_too_large():
    channels, sample_bytes = 4, 2
    assert MAX_PIXELS * channels * sample_bytes < MAX_IMAGE_BYTES
