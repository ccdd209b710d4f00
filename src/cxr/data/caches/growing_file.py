"""A large file written in blocks, so that a writer that is killed goes on where it was.

Beside the file lies a journal with the length and the digest of each block. A block is on the disk
before its line is, so each line speaks of bytes that are there; what has no line, or another
digest, is written again. The file takes its name when it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from cxr.atomic import flush_directory, storage_errors
from cxr.digests.canonical import PREFIX, canonical_json
from cxr.errors import StorageError

BLOCK_BYTES: Final = 16 * 2**20
"""How much a killed writer loses at most, and how much is hashed again at a time to go on."""


class GrowingFile:
    """A file that is being written; used as a context, by one writer at a time.

    Attributes:
        kept_bytes: How much an earlier writer left, once the context is entered.
    """

    def __init__(self, path: Path) -> None:
        self.kept_bytes = 0
        self._path = path
        self._part, self._journal_path = name_parts(path)
        self._waiting = bytearray()
        self._state = hashlib.sha256()
        self._stream: IO[bytes]
        self._journal: IO[bytes]

    def __enter__(self) -> Self:
        """Open what an earlier writer left, up to its last sound block.

        Raises:
            StorageError: It cannot be opened, or not be written.
        """
        with storage_errors(self._path):
            lines = self._find_sound_blocks()
            self._stream = self._part.open("r+b" if self.kept_bytes else "wb")
            self._stream.truncate(self.kept_bytes)
            self._stream.seek(self.kept_bytes)
            self._journal = self._journal_path.open("wb")
            self._journal.write(b"".join(lines))
            self._journal.flush()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what was written, also when the writer is interrupted."""
        try:
            if kind is not None and not issubclass(kind, (OSError, StorageError)):
                with contextlib.suppress(OSError):
                    self._write_block()
        finally:
            for stream in (self._stream, self._journal):
                with contextlib.suppress(OSError):
                    stream.close()
        if kind is not None and not self._count_bytes():
            self.discard()

    def append(self, content: bytes) -> None:
        """Write some bytes, once there is a block of them.

        Raises:
            StorageError: They cannot be written.
        """
        self._waiting += content
        if len(self._waiting) >= BLOCK_BYTES:
            with storage_errors(self._path):
                self._write_block()

    def finish(self) -> str:
        """Write what waits, and give the file its name.

        Returns:
            ``sha256:<hex>`` of all of it.

        Raises:
            StorageError: It cannot be written.
        """
        with storage_errors(self._path):
            self._write_block()
            self._part.replace(self._path)
            flush_directory(self._path.parent)
            self._journal_path.unlink()
        return PREFIX + self._state.hexdigest()

    def discard(self) -> None:
        """Remove what was written."""
        for file in (self._part, self._journal_path):
            with contextlib.suppress(OSError):
                file.unlink()

    def _write_block(self) -> None:
        """Write what waits to the disk, then its line."""
        if not self._waiting:
            return
        # Taken first: a second Ctrl-C may come anywhere below, and the block must not be written
        # again on the way out, behind itself and with a line of its own.
        block, self._waiting = self._waiting, bytearray()
        self._stream.write(block)
        _flush(self._stream)
        digest = hashlib.sha256(block).hexdigest()
        self._journal.write(canonical_json({"bytes": len(block), "sha256": digest}) + b"\n")
        _flush(self._journal)
        self._state.update(block)

    def _find_sound_blocks(self) -> list[bytes]:
        """Hash what is there, block by block, and return the lines of those that are sound."""
        try:
            lines = self._journal_path.read_bytes().splitlines(keepends=True)
            stream = self._part.open("rb")
        except FileNotFoundError:
            return []
        sound: list[bytes] = []
        with stream:
            for line in lines:
                block = _read_block(stream, line)
                if block is None:
                    break
                sound.append(line)
                self._state.update(block)
                self.kept_bytes += len(block)
        return sound

    def _count_bytes(self) -> int:
        try:
            return self._part.stat().st_size
        except OSError:
            return 0


def name_parts(path: Path) -> tuple[Path, Path]:
    """Return what a file that is being written, and its journal, are called."""
    return path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.journal")


def _read_block(stream: IO[bytes], line: bytes) -> bytes | None:
    """Return the block that a line of the journal speaks of; None if it is another one."""
    try:
        fields = json.loads(line)
        num_bytes, digest = fields["bytes"], fields["sha256"]
    except (ValueError, KeyError, TypeError):
        return None
    if not line.endswith(b"\n") or not isinstance(num_bytes, int) or num_bytes <= 0:
        return None
    block = stream.read(num_bytes)
    whole = len(block) == num_bytes and hashlib.sha256(block).hexdigest() == digest
    return block if whole else None


def _flush(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
