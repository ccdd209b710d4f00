"""The ledger: one line a step, chained, so that what happened first can be found later.

A line is canonical JSON: ``step``, ``epoch``, the digests of the step's parts in causal order, and
``chain``, the SHA-256 of the chain before it and of the line without ``chain``. Lines hold no
recipe, path, time or version: equal traces are equal bytes. Beside it ``tensors.bin`` holds the
digest of every tensor behind the parts. ``docs/formats/ledger.md`` describes both files.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import xxhash

from cxr.digests.canonical import canonical_json
from cxr.errors import RecordError
from cxr.records.atomic import storage_errors
from cxr.records.run_directory import LEDGER, TENSORS

PARTS: Final = (
    "samples",
    "random",
    "batch",
    "buffers",
    "loss",
    "gradients",
    "optimizer",
    "parameters",
    "predictions",
)
"""Parts of a step in causal order: the first that differs is the cause of those behind it."""

INITIAL_STEP: Final = -1
CHAIN_START: Final = hashlib.sha256(b"cxr.ledger/1").hexdigest()
PART_PREFIX: Final = "xxh3-128:"
STORED_BYTES: Final = 8
"""Bytes of a tensor's 16-byte digest that ``tensors.bin`` keeps."""

_LAYOUT: Final = b"L"
_ROW: Final = b"R"
_FRAME: Final = struct.Struct("<cI")
_STEP: Final = struct.Struct("<q")

TensorDigests = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One line of a ledger.

    Attributes:
        step: Zero-based global step; -1 is the initial state.
        epoch: Zero-based epoch, -1 for the initial state.
        parts: Digest by part, in causal order.
        chain: Hex digest of all lines up to this one.
    """

    step: int
    epoch: int
    parts: dict[str, str]
    chain: str


def extend_chain(chain: str, line: Mapping[str, Any]) -> str:
    """Return the chain after ``line``, given without its own ``chain``."""
    return hashlib.sha256(chain.encode("ascii") + b"\n" + canonical_json(line)).hexdigest()


def digest_part(tensors: TensorDigests) -> str:
    """Return the digest of a part: XXH3 over name, a zero byte and digest of each tensor."""
    state = xxhash.xxh3_128()
    for name, digest in tensors.items():
        state.update(name.encode("utf-8") + b"\0" + digest)
    return PART_PREFIX + state.hexdigest()


class LedgerWriter:
    """Appends steps to ``ledger.jsonl`` and ``tensors.bin`` of a run directory.

    Used as a context manager. Each line reaches the operating system before `append` returns.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LEDGER
        self._tensors_path = directory / TENSORS
        self._layout: list[str] = []
        self.head = CHAIN_START
        self.num_steps = 0

    def __enter__(self) -> Self:
        """Open both files, which must not exist."""
        with storage_errors(self._path):
            self._lines: IO[bytes] = self._path.open("xb")
        with storage_errors(self._tensors_path):
            self._frames: IO[bytes] = self._tensors_path.open("xb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close both files."""
        for path, stream in ((self._path, self._lines), (self._tensors_path, self._frames)):
            with storage_errors(path):
                stream.close()

    def append(self, step: int, epoch: int, parts: Mapping[str, TensorDigests]) -> None:
        """Write one step.

        Args:
            step: Zero-based global step, -1 for the initial state.
            epoch: Zero-based epoch.
            parts: For each part, the 16-byte digest of each of its tensors by name.

        Raises:
            StorageError: The line cannot be written.
        """
        line: dict[str, Any] = {"epoch": epoch, "step": step}
        for part in PARTS:
            if part in parts:
                line[part] = digest_part(parts[part])
        self.head = extend_chain(self.head, line)
        with storage_errors(self._tensors_path):
            self._write_frames(step, parts)
            self._frames.flush()
        with storage_errors(self._path):
            self._lines.write(canonical_json({**line, "chain": self.head}) + b"\n")
            self._lines.flush()
        if {"samples", "parameters"} <= parts.keys():
            self.num_steps += 1

    def _write_frames(self, step: int, parts: Mapping[str, TensorDigests]) -> None:
        """Write the tensors' names where they are new, then their digests."""
        layout = [f"{part}/{name}" for part in PARTS for name in parts.get(part, {})]
        if layout != self._layout:
            self._layout = layout
            self._write_frame(_LAYOUT, canonical_json(layout))
        digests = [digest for part in PARTS for digest in parts.get(part, {}).values()]
        row = b"".join(digest[:STORED_BYTES] for digest in digests)
        self._write_frame(_ROW, _STEP.pack(step) + row)

    def _write_frame(self, kind: bytes, content: bytes) -> None:
        self._frames.write(_FRAME.pack(kind, len(content)) + content)


def read_ledger(directory: Path) -> Iterator[StepRecord]:
    """Yield a run's steps, checking the chain on the way.

    Raises:
        RecordError: The ledger is missing, or a line is cut short, edited, added, removed or moved.
    """
    chain = CHAIN_START
    for number, raw in enumerate(read_lines(directory), start=1):
        record = parse_line(directory / LEDGER, number, raw)
        line = {"epoch": record.epoch, "step": record.step, **record.parts}
        chain = extend_chain(chain, line)
        if chain != record.chain:
            raise RecordError(
                "the ledger's chain breaks: a line was edited, added, removed or moved",
                where=f"{directory / LEDGER}:{number}, step {record.step}",
                hint="the run's records are not what cxr wrote; restore them or train again",
            )
        yield record


def read_lines(directory: Path) -> Iterator[bytes]:
    """Yield a ledger's lines as they stand, without looking into them.

    Raises:
        RecordError: The ledger is missing or unreadable.
    """
    path = directory / LEDGER
    try:
        with path.open("rb") as stream:
            yield from stream
    except OSError as error:
        raise RecordError(
            f"cannot read the ledger: {error.strerror or error}",
            where=str(path),
            hint="name a run directory that cxr train wrote",
        ) from error


def parse_line(path: Path, number: int, raw: bytes) -> StepRecord:
    """Return what one line says; its chain is not checked.

    Raises:
        RecordError: The line is cut short or is not a step.
    """
    try:
        if not raw.endswith(b"\n"):
            raise ValueError("it has no end of line")
        line = json.loads(raw)
        parts = {part: line[part] for part in PARTS if part in line}
        return StepRecord(int(line["step"]), int(line["epoch"]), parts, line["chain"])
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(
            "a ledger line is cut short or is not a step",
            where=f"{path}:{number}",
            hint="the run was stopped while writing it, or the file was edited",
        ) from error


def read_tensor_digests(directory: Path, step: int) -> dict[str, bytes] | None:
    """Return the stored digest of each tensor (``part/name``) at ``step``, or None.

    Returns None when the side file is missing, cut short before that step, or holds no such step.
    When a step was written more than once, the last one counts.
    """
    found: dict[str, bytes] | None = None
    layout: list[str] = []
    try:
        with (directory / TENSORS).open("rb") as stream:
            while len(head := stream.read(_FRAME.size)) == _FRAME.size:
                kind, size = _FRAME.unpack(head)
                content = stream.read(size)
                if len(content) < size:
                    break
                if kind == _LAYOUT:
                    layout = json.loads(content)
                elif _STEP.unpack_from(content)[0] == step:
                    rows = content[_STEP.size :]
                    found = {
                        name: rows[index * STORED_BYTES : (index + 1) * STORED_BYTES]
                        for index, name in enumerate(layout)
                    }
    except (OSError, ValueError, struct.error):
        return None
    return found
