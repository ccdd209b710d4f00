"""Signatures that go with a release: whether they are of it, whoever made them.

Whose they are is for those who have the key. But what signs something else would fail each of them,
and a release stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxr.attestation.dsse import parse_envelope, render_envelope
from cxr.attestation.export_statement import derive_export_statement
from cxr.attestation.statement import list_subjects
from cxr.attestation.verify_attestation import check_subjects, parse_statement, read_envelope
from cxr.digests.canonical import canonical_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.records.manifest import load_manifest
from cxr.records.run_directory import MANIFEST
from cxr.release.layout import ATTESTATION, EXPORT_ATTESTATION


def require_fitting_signatures(directory: Path, places: dict[str, Path]) -> None:
    """Refuse signatures that are of another run or another export than this one.

    Args:
        directory: An export that verifies, and the signatures in it.
        places: Name → where a signature came from, for an error.

    Raises:
        RecordError: Saying which, and in what.
    """
    for name, find_problems, hint in (
        (ATTESTATION, _find_problems_of_run, "sign the run again (cxr attest)"),
        (EXPORT_ATTESTATION, _find_problems_of_export, "sign it again with --key FILE"),
    ):
        path = directory / name
        if not path.exists():
            continue
        for problem in find_problems(path):
            raise RecordError(
                f"{name} would go with it, and {problem}",
                where=str(places.get(name, name)),
                hint=f"{hint}, or move the file aside",
            )


def _find_problems_of_run(path: Path) -> Iterator[str]:
    """Say why an envelope is none of the run whose manifest lies beside it."""
    try:
        statement = parse_statement(_read_payload(path))
    except ValueError as error:
        yield f"is no attestation: {error}"
        return
    directory = path.parent
    subjects = list_subjects(load_manifest(directory), digest_file(directory / MANIFEST))
    for one in check_subjects(statement, subjects, path.name):
        yield one.problem if one.path == path.name else f"is of another {one.path}"


def _find_problems_of_export(path: Path) -> Iterator[str]:
    """Say why an envelope is none of the export that it lies in."""
    try:
        payload = _read_payload(path)
    except ValueError as error:
        yield f"is no attestation: {error}"
        return
    if payload != canonical_json(derive_export_statement(path.parent)):
        yield "is of another export, or of this one before a file of it was changed"


def _read_payload(path: Path) -> bytes:
    """Return what an envelope signs.

    Raises:
        RecordError: It cannot be read.
        ValueError: It is none.
    """
    content = read_envelope(path)
    envelope = parse_envelope(content)
    if render_envelope(envelope) != content:
        raise ValueError("it is not spelled as cxr spells it")
    return envelope.payload
