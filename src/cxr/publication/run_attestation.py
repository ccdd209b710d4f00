"""The attestation that lies beside a run: it goes with its export, if it is of this run.

Whose signature it has is for those who have the key. But one of another run would fail each of
them, and a release stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cxr.atomic import write_bytes
from cxr.attestation.dsse import parse_envelope, render_envelope
from cxr.attestation.place import find_place
from cxr.attestation.statement import list_subjects
from cxr.attestation.verify_attestation import (
    MAX_ENVELOPE_BYTES,
    check_subjects,
    parse_statement,
)
from cxr.bounded_file import read_bounded
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.records.manifest import load_manifest
from cxr.records.run_directory import MANIFEST
from cxr.release.layout import ATTESTATION

_HINT: Final = "sign the run again (cxr attest), or move the file aside"


def add_attestation(run: Path, directory: Path) -> None:
    """Put a run's attestation into its export, where there is one.

    Args:
        run: The run directory.
        directory: An export of the run that verifies; it may have an attestation already.

    Raises:
        RecordError: It cannot be read, or is none of this run.
        StorageError: It cannot be written.
    """
    beside, added = find_place(run), directory / ATTESTATION
    if beside.exists():
        write_bytes(added, _read(beside))
    elif not added.exists():
        return
    for problem in _find_problems(added):
        raise RecordError(
            f"{ATTESTATION} would go with it, and {problem}",
            where=str(beside if beside.exists() else ATTESTATION),
            hint=_HINT,
        )


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, max_bytes=MAX_ENVELOPE_BYTES)
    except OSError as error:
        raise RecordError(
            f"cannot read the attestation: {error.strerror or error}", where=str(path), hint=_HINT
        ) from error


def _find_problems(path: Path) -> Iterator[str]:
    """Say why an envelope is none of the run whose manifest lies beside it."""
    content = _read(path)
    try:
        envelope = parse_envelope(content)
        statement = parse_statement(envelope.payload)
    except ValueError as error:
        yield f"is no attestation: {error}"
        return
    if render_envelope(envelope) != content:
        yield "is not spelled as cxr spells it"
    directory = path.parent
    subjects = list_subjects(load_manifest(directory), digest_file(directory / MANIFEST))
    for one in check_subjects(statement, subjects, path.name):
        yield one.problem if one.path == path.name else f"is of another {one.path}"
