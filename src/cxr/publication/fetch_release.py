"""Fetching a release: into a place beside, checked to the last byte, and named only then."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxr.attestation.export_signatures import require_library, verify_export_signatures
from cxr.compare.verify_findings import Finding
from cxr.errors import RecordError
from cxr.interruption import obey
from cxr.json_file import load_json_object
from cxr.progress import SILENCE, Progress
from cxr.publication.download import check_listing, download_files
from cxr.publication.hub import open_hub
from cxr.publication.repository import is_commit, load_files
from cxr.publication.revisions import check_moved, find_commit, parse_release
from cxr.records.exported import EXPORT
from cxr.records.whole_directory import find_target, growing_beside, name_directory
from cxr.release.export_record import ExportRecord
from cxr.release.verify_export import verify_export

if TYPE_CHECKING:
    from cxr.attestation.keys import ExportPublicKey

_SHORT: Final = 12
_NO_RELEASE: Final = "it is no release of cxr, or was damaged; ask whoever published it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A release that was fetched, or what is wrong with it.

    Attributes:
        directory: Where it lies; nothing is there where there are findings.
        endpoint: The hub it came from.
        repo: The repository.
        revision: What was asked for.
        commit: Which commit that is.
        record: ``export.json``; empty where there are findings.
        findings: What is not as it must be.
        signed: Files under a good signature of the key, or that follow from such.
        unsigned: The other files, where a key was given.
        unchecked: Signatures by another kind of key, likewise.
    """

    directory: Path
    endpoint: str
    repo: str
    revision: str
    commit: str
    record: ExportRecord
    findings: list[Finding]
    signed: list[str]
    unsigned: list[str]
    unchecked: list[Finding]


def fetch_release(
    name: str,
    *,
    out: Path | None = None,
    key: ExportPublicKey | None = None,
    progress: Progress = SILENCE,
) -> Fetched:
    """Fetch a release, check all of it, and only then let it have its name.

    Args:
        name: ``OWNER/NAME@REVISION``; the revision is a tag or a commit.
        out: Where it goes, new or empty; by default ``NAME@REVISION`` here.
        key: Whose signature it must have.
        progress: Told how far it is.

    Raises:
        HubError: The hub cannot be asked, or has no such revision.
        InstallationError: The library that the key needs is missing.
        RecordError: What came is no export, or is not signed at all, where a key is given.
        RunDirectoryTakenError: Something stands at ``out``.
        StorageError: It cannot be written.
        UsageError: The name is none, or that of a branch.
    """
    repo, revision = parse_release(name)
    if key is not None:
        require_library(key)
    short = revision[:_SHORT] if is_commit(revision) else revision
    directory = out or Path(f"{repo.partition('/')[2]}@{short}")
    target = find_target(directory, what="release")
    hub = open_hub()
    commit = find_commit(hub, repo, revision)
    files = load_files(hub, repo, commit)
    findings = list(check_listing(files))
    record: ExportRecord = {}
    signed, unsigned, unchecked = list[str](), list[str](), list[Finding]()
    where = f"{repo}@{commit} at {hub.endpoint}"
    with growing_beside(target) as growing:
        if not findings:
            findings = download_files(hub, repo, commit, files, growing, progress)
        if not findings:
            with _named_as_released(growing, where, hint=_NO_RELEASE):
                findings = verify_export(growing).findings
        if key is not None and not findings:
            with _named_as_released(growing, where):
                found = verify_export_signatures(growing, key)
            findings, unchecked = found.findings, found.unchecked
            signed, unsigned = found.signed, found.unsigned
        if not findings:
            findings = check_moved(hub, repo, revision, commit)
        if not findings:
            record = load_json_object(growing / EXPORT)
            obey("the fetched release")
            name_directory(growing, target)
    return Fetched(
        directory=directory,
        endpoint=hub.endpoint,
        repo=repo,
        revision=revision,
        commit=commit,
        record=record,
        findings=findings,
        signed=signed,
        unsigned=unsigned,
        unchecked=unchecked,
    )


@contextlib.contextmanager
def _named_as_released(growing: Path, where: str, *, hint: str = "") -> Iterator[None]:
    """Let an error name a file as that of the release: where it grows, nothing is left of it."""
    try:
        yield
    except RecordError as error:
        name = error.where.removeprefix(str(growing)).lstrip("/")
        raise RecordError(
            error.problem,
            where=f"{name} of {where}" if name else where,
            hint=hint or error.hint,
        ) from None
