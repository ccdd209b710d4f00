"""The ledger: one line a step, chained, so that what happened first can be found later.

A line is canonical JSON: ``step``, ``epoch``, the digests of the step's parts in causal order, and
``chain``, the SHA-256 of the chain before it and of the line without ``chain``. Lines hold no
recipe, path, time or version: equal traces are equal bytes. Beside it ``tensors.bin`` holds the
digest of every tensor behind the parts. ``docs/formats/ledger.md`` describes both files.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

import xxhash

from cxr.atomic import append_whole, storage_errors
from cxr.bounded_file import open_regular
from cxr.digests.canonical import canonical_json
from cxr.errors import DeterminismError, RecordError
from cxr.records.run_directory import LEDGER
from cxr.records.tensor_digests import TensorDigests, TensorDigestWriter, drop_partial_frame

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

    Args:
        directory: The run directory.
        resume_at: The chain at which a stopped run goes on, or None for a new run. Lines behind
            it stay: the steps that are run again must give the same lines.
        tensors_every: Steps from one whose tensors go into ``tensors.bin`` to the next; 0: none.
            Those of the initial state and of the predictions always do.
    """

    def __init__(
        self, directory: Path, *, resume_at: str | None = None, tensors_every: int = 1
    ) -> None:
        self._path = directory / LEDGER
        self._tensors_every = tensors_every
        self._tensors = TensorDigestWriter(directory)
        self._ahead: deque[bytes] = deque()
        self.head = CHAIN_START
        self.num_steps = 0
        self._mode = "xb"
        if resume_at is not None:
            self._mode = "ab"
            self._find_place(directory, resume_at)

    def __enter__(self) -> Self:
        """Open both files; those of a new run must not exist."""
        with storage_errors(self._path):
            self._lines = cast("io.RawIOBase", self._path.open(self._mode, buffering=0))
        self._tensors.open(self._mode)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close both files."""
        self._tensors.close()
        with storage_errors(self._path):
            self._lines.close()

    def append(self, step: int, epoch: int, parts: Mapping[str, TensorDigests]) -> None:
        """Write one step.

        Args:
            step: Zero-based global step, -1 for the initial state.
            epoch: Zero-based epoch.
            parts: For each part, the 16-byte digest of each of its tensors by name.

        Raises:
            StorageError: The line cannot be written.
            DeterminismError: A step that was run again gives another line than before.
        """
        line: dict[str, Any] = {"epoch": epoch, "step": step}
        for part in PARTS:
            if part in parts:
                line[part] = digest_part(parts[part])
        head = extend_chain(self.head, line)
        raw = canonical_json({**line, "chain": head}) + b"\n"
        if self._ahead:
            self._require_same(self._ahead[0], raw, step)
            self._ahead.popleft()
        else:
            if "samples" not in parts or (self._tensors_every and not step % self._tensors_every):
                self._tensors.append(step, {part: parts[part] for part in PARTS if part in parts})
            append_whole(self._path, self._lines, raw)
        self.head = head
        self.num_steps += "samples" in parts

    def flush(self) -> None:
        """Wait until the disk holds every line.

        Raises:
            StorageError: It cannot.
        """
        self._tensors.flush()
        with storage_errors(self._path):
            os.fsync(self._lines.fileno())

    def describe_trace(self) -> dict[str, Any]:
        """Return ``ledger_head`` and ``steps`` of the file as it stands, for the manifest."""
        if not self._ahead:
            return {"ledger_head": self.head, "steps": self.num_steps}
        ahead = [parse_line(self._path, 0, raw) for raw in self._ahead]
        steps = self.num_steps + sum("samples" in record.parts for record in ahead)
        return {"ledger_head": ahead[-1].chain, "steps": steps}

    def _find_place(self, directory: Path, resume_at: str) -> None:
        """Go to the line whose chain is ``resume_at``; keep those behind it to compare with.

        A last line or frame that was cut short by the stop is removed.
        """
        size_bytes = 0
        for raw, record in read_whole_lines(directory):
            size_bytes += len(raw)
            if self.head == resume_at:
                self._ahead.append(raw)
            else:
                self.head = record.chain
                self.num_steps += "samples" in record.parts
        if self.head != resume_at:
            raise RecordError(
                "the ledger does not hold the step that the checkpoint was taken at",
                where=str(self._path),
                hint="its lines were removed; restore it, or train again",
            )
        with storage_errors(self._path):
            os.truncate(self._path, size_bytes)
        drop_partial_frame(directory)

    def _require_same(self, before: bytes, again: bytes, step: int) -> None:
        """Compare a step that was run again with what it gave before the stop."""
        if before == again:
            return
        old = parse_line(self._path, 0, before).parts
        new = parse_line(self._path, 0, again).parts
        differing = [part for part in PARTS if old.get(part) != new.get(part)]
        raise DeterminismError(
            f"a step that was run again gives other bits: {', '.join(differing) or 'step'}",
            where=f"{self._path}, step {step}",
            hint="something here does not repeat: see docs/debugging.md",
        )


def read_ledger(directory: Path) -> Iterator[StepRecord]:
    """Yield a run's steps, checking the chain on the way.

    Raises:
        RecordError: The ledger is missing, or a line is cut short, edited, added, removed or moved.
    """
    for _, record in _follow_chain(directory, read_lines(directory)):
        yield record


def read_whole_lines(directory: Path) -> Iterator[tuple[bytes, StepRecord]]:
    """Yield lines and steps like `read_ledger`, without a last line that a kill cut short.

    Raises:
        RecordError: The ledger is missing, or a line is edited, added, removed or moved.
    """
    whole = (raw for raw in read_lines(directory) if raw.endswith(b"\n"))
    yield from _follow_chain(directory, whole)


def _follow_chain(directory: Path, lines: Iterator[bytes]) -> Iterator[tuple[bytes, StepRecord]]:
    chain = CHAIN_START
    for number, raw in enumerate(lines, start=1):
        record = parse_line(directory / LEDGER, number, raw)
        require_link(directory / LEDGER, number, raw, record, chain)
        chain = record.chain
        yield raw, record


def require_link(path: Path, number: int, raw: bytes, record: StepRecord, chain: str) -> None:
    """Check that a line is the one that was written behind ``chain``, byte for byte.

    Raises:
        RecordError: It is not.
    """
    line = {"epoch": record.epoch, "step": record.step, **record.parts}
    written = canonical_json({**line, "chain": record.chain}) + b"\n"
    if raw != written or record.chain != extend_chain(chain, line):
        raise RecordError(
            "the ledger's chain breaks: a line was edited, added, removed or moved",
            where=f"{path}:{number}, step {record.step}",
            hint="the run's records are not what cxr wrote; restore them or train again",
        )


def read_lines(directory: Path) -> Iterator[bytes]:
    """Yield a ledger's lines as they stand, without looking into them.

    Raises:
        RecordError: The ledger is missing or unreadable.
    """
    path = directory / LEDGER
    try:
        with open_regular(path) as stream:
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
        texts = [line["chain"], *parts.values()]
        if type(line["step"]) is not int or type(line["epoch"]) is not int:
            raise TypeError("step and epoch are whole numbers")
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("digests are text")
        return StepRecord(line["step"], line["epoch"], parts, line["chain"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordError(
            "a ledger line is cut short or is not a step",
            where=f"{path}:{number}",
            hint="the run was stopped while writing it, or the file was edited",
        ) from error
