"""A process that inspects the files whose bytes it is sent, until nothing more comes.

It is started as ``python -m`` this module with the number of the pipe that answers go to; requests
come on stdin. When its parent closes these, or ends in whatever way, it ends too. A request is some
names and bytes, an answer as many looks; each has its size before it, and nothing in them is run.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Final

from cxr.answering_process import end_with_parent
from cxr.data.decoding.quiet_pillow import quiet_pillow
from cxr.data.inspection.inspect_file import FileBytes, inspect_files
from cxr.data.inspection.look import Look
from cxr.data.inspection.look_text import dump_look, parse_look

_REQUEST: Final = struct.Struct("<I")
"""Files that follow."""
_FILE: Final = struct.Struct("<IQ")
"""Bytes of a name, and bytes of a file."""
_ANSWER: Final = struct.Struct("<I")
"""Bytes of a look."""
_SHA256_CHARACTERS: Final = len("sha256:") + 64
_JOINED_BYTES: Final = 2**22


def write_request(stream: IO[bytes], files: Sequence[FileBytes]) -> None:
    """Send what `inspect_files` takes."""
    parts = [_REQUEST.pack(len(files))]
    for content, name in files:
        encoded = os.fsencode(name)
        parts += [_FILE.pack(len(encoded), len(content)), encoded, content]
    if sum(map(len, parts)) <= _JOINED_BYTES:
        # In one piece: the reader is woken once.
        parts = [b"".join(parts)]
    for part in parts:
        stream.write(part)
    stream.flush()


def read_answers(stream: IO[bytes], number: int) -> Iterator[Look]:
    """Yield what `inspect_files` returned over there; fewer if the process ended before."""
    for _ in range(number):
        head = stream.read(_ANSWER.size)
        if len(head) < _ANSWER.size:
            return
        (num_bytes,) = _ANSWER.unpack(head)
        answer = stream.read(num_bytes)
        if len(answer) < num_bytes:
            return
        sha256 = answer[:_SHA256_CHARACTERS].decode("ascii")
        yield parse_look(answer[_SHA256_CHARACTERS:], sha256=sha256)


def answer_requests(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Inspect files until nobody asks any more.

    All of a request is read before any of it is answered, so neither side waits for the other.
    """
    while len(head := requests.read(_REQUEST.size)) == _REQUEST.size:
        files = [_read_file(requests) for _ in range(_REQUEST.unpack(head)[0])]
        for file in files:
            if file is None:
                return
            (look,) = inspect_files([file])
            answer = look.sha256.encode("ascii") + dump_look(look)
            answers.write(_ANSWER.pack(len(answer)) + answer)
        answers.flush()


def _read_file(requests: IO[bytes]) -> FileBytes | None:
    """Return one file of a request; None where the sender ended within it."""
    head = requests.read(_FILE.size)
    if len(head) < _FILE.size:
        return None
    name_bytes, num_bytes = _FILE.unpack(head)
    name, content = os.fsdecode(requests.read(name_bytes)), requests.read(num_bytes)
    return (content, name) if len(content) == num_bytes else None


def _main() -> None:
    pipe = int(sys.argv[1])
    end_with_parent(pipe)
    with os.fdopen(pipe, "wb", closefd=False) as stream, quiet_pillow():
        answer_requests(sys.stdin.buffer, stream)


if __name__ == "__main__":
    _main()
