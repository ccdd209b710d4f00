"""Finding the first step and thing at which two ledgers differ, by streaming both."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from cxr.compare.report import Divergence
from cxr.errors import RecordError
from cxr.records.ledger import (
    CHAIN_START,
    PARTS,
    StepRecord,
    parse_line,
    read_lines,
    require_link,
)
from cxr.records.manifest import Manifest
from cxr.records.run_directory import LEDGER
from cxr.records.tensor_digests import read_tensor_digests

_Run = tuple[Path, Manifest]


def find_first_divergence(a: _Run, b: _Run) -> Divergence | None:
    """Return the first divergence of two runs, or None where their ledgers are equal.

    Equal lines are compared as bytes; only the first unequal pair is looked into. Time grows with
    the steps before it, memory does not.

    Args:
        a: Directory and manifest of the first run.
        b: Of the second.

    Raises:
        RecordError: A ledger is missing, or is not the one that its manifest names.
    """
    last = b""
    pairs = zip_longest(read_lines(a[0]), read_lines(b[0]), fillvalue=b"")
    for number, (line_a, line_b) in enumerate(pairs, start=1):
        if line_a == line_b:
            last = line_a
            continue
        chain = parse_line(a[0] / LEDGER, number - 1, last).chain if last else CHAIN_START
        record_a = _check_line(a[0], number, line_a, chain)
        record_b = _check_line(b[0], number, line_b, chain)
        for run, line in ((a, line_a), (b, line_b)):
            if not line:
                _require_head(run, last)
        return _explain(a[0], b[0], record_a, record_b)
    _require_head(a, last)
    _require_head(b, last)
    return None


def _check_line(directory: Path, number: int, raw: bytes, chain: str) -> StepRecord | None:
    """Parse a line and check that it follows from the chain before it; None past the end."""
    if not raw:
        return None
    record = parse_line(directory / LEDGER, number, raw)
    require_link(directory / LEDGER, number, raw, record, chain)
    return record


def _require_head(run: _Run, last: bytes) -> None:
    """Check that a ledger ends where its manifest says."""
    directory, manifest = run
    head = manifest.get("trace", {}).get("ledger_head")
    found = parse_line(directory / LEDGER, 0, last).chain if last else CHAIN_START
    if head is not None and head != found:
        raise RecordError(
            "the ledger does not end where the manifest says",
            where=str(directory / LEDGER),
            hint="lines were removed or added after the run; cxr verify says more",
        )


def _explain(
    a: Path, b: Path, record_a: StepRecord | None, record_b: StepRecord | None
) -> Divergence:
    """Name the part and the tensor of the first unequal pair of lines."""
    present = record_a or record_b
    if present is None:
        raise ValueError("two missing lines are equal")
    if record_a is None or record_b is None or record_a.step != record_b.step:
        return Divergence(step=present.step, epoch=present.epoch, what="end", tensor=None)
    if ("samples" in record_a.parts) != ("samples" in record_b.parts):
        # One run is done training where the other takes a step more.
        return Divergence(step=present.step, epoch=present.epoch, what="end", tensor=None)
    differing = [part for part in PARTS if record_a.parts.get(part) != record_b.parts.get(part)]
    what = differing[0] if differing else "epoch"
    return Divergence(
        step=present.step,
        epoch=present.epoch,
        what=what,
        tensor=_find_tensor(a, b, present.step, what),
    )


def _find_tensor(a: Path, b: Path, step: int, part: str) -> str | None:
    """Return the first tensor of a part whose stored digests differ."""
    digests_a = read_tensor_digests(a, step)
    digests_b = read_tensor_digests(b, step)
    if digests_a is None or digests_b is None:
        return None
    names = [name for name in {**digests_a, **digests_b} if name.startswith(f"{part}/")]
    if part == "gradients":
        # They are computed from the loss backwards: the last parameter's comes first.
        names.reverse()
    differing = [name for name in names if digests_a.get(name) != digests_b.get(name)]
    return differing[0].partition("/")[2] if differing else None
