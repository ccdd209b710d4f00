"""``tensors.bin``: the digest of every tensor behind the ledger's lines, for naming the first one.

The file is a sequence of frames: a kind byte, the content's length as a little-endian unsigned
32-bit number, the content. An ``L`` frame holds, as a JSON list, the names of the tensors in the
rows that follow; an ``R`` frame holds the step as a signed 64-bit number and 8 bytes a tensor.
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from cxr.atomic import append_whole, storage_errors
from cxr.bounded_file import open_regular
from cxr.digests.canonical import canonical_json
from cxr.records.run_directory import TENSORS

STORED_BYTES: Final = 8
"""Bytes of a tensor's 16-byte digest that the file keeps."""

TensorDigests = Mapping[str, bytes]
"""16-byte digest of each tensor of a part, by name."""

_LAYOUT: Final = b"L"
_ROW: Final = b"R"
_FRAME: Final = struct.Struct("<cI")
_STEP: Final = struct.Struct("<q")


class TensorDigestWriter:
    """Appends rows of tensor digests to a run directory's side file."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / TENSORS
        self._layout: list[str] = []

    def open(self, mode: str) -> None:
        """Open the file, with ``xb`` for a new one and ``ab`` for one that goes on."""
        with storage_errors(self._path):
            self._frames = cast("io.RawIOBase", self._path.open(mode, buffering=0))

    def flush(self) -> None:
        """Wait until the disk holds every row."""
        with storage_errors(self._path):
            os.fsync(self._frames.fileno())

    def close(self) -> None:
        """Close the file."""
        with storage_errors(self._path):
            self._frames.close()

    def append(self, step: int, parts: Mapping[str, TensorDigests]) -> None:
        """Write the tensors' names where they are new, then their digests.

        Args:
            step: Zero-based global step, -1 for the initial state.
            parts: The digests of each part's tensors, parts in causal order.

        Raises:
            StorageError: The row cannot be written.
        """
        layout = [f"{part}/{name}" for part, tensors in parts.items() for name in tensors]
        digests = [digest for tensors in parts.values() for digest in tensors.values()]
        row = b"".join(digest[:STORED_BYTES] for digest in digests)
        frames = _frame(_ROW, _STEP.pack(step) + row)
        if layout != self._layout:
            frames = _frame(_LAYOUT, canonical_json(layout)) + frames
        append_whole(self._path, self._frames, frames)
        self._layout = layout


def _frame(kind: bytes, content: bytes) -> bytes:
    return _FRAME.pack(kind, len(content)) + content


def drop_partial_frame(directory: Path) -> None:
    """Cut off a last frame that was not written whole.

    Raises:
        StorageError: The file cannot be cut.
    """
    path = directory / TENSORS
    if not path.exists():
        return
    size_bytes, whole = path.stat().st_size, 0
    with path.open("rb") as stream:
        while len(head := stream.read(_FRAME.size)) == _FRAME.size:
            end = whole + _FRAME.size + _FRAME.unpack(head)[1]
            if end > size_bytes:
                break
            whole = stream.seek(end)
    with storage_errors(path):
        os.truncate(path, whole)


def read_tensor_digests(directory: Path, step: int) -> dict[str, bytes] | None:
    """Return the stored digest of each tensor (``part/name``) at ``step``, or None.

    Returns None when the side file is missing, cut short before that step, or holds no such step.
    When a step was written more than once, the last one counts.
    """
    found: dict[str, bytes] | None = None
    layout: list[str] = []
    try:
        with open_regular(directory / TENSORS) as stream:
            while len(head := stream.read(_FRAME.size)) == _FRAME.size:
                kind, size = _FRAME.unpack(head)
                content = stream.read(size)
                if len(content) < size:
                    break
                if kind == _LAYOUT:
                    layout = _read_layout(content)
                elif _STEP.unpack_from(content)[0] == step:
                    rows = content[_STEP.size :]
                    if len(rows) != STORED_BYTES * len(layout):
                        return None
                    found = {
                        name: rows[index * STORED_BYTES : (index + 1) * STORED_BYTES]
                        for index, name in enumerate(layout)
                    }
    except (OSError, ValueError, RecursionError, struct.error):
        return None
    return found


def _read_layout(content: bytes) -> list[str]:
    """Return the names in a layout frame.

    Raises:
        ValueError: It holds something else.
    """
    layout = json.loads(content)
    if not isinstance(layout, list) or not all(isinstance(name, str) for name in layout):
        raise ValueError("a layout is a list of names")
    return layout
