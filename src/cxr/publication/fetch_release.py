"""Fetching a release: into a place beside, checked to the last byte, and named only then."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxr.atomic import flush_directory, make_directory, storage_errors
from cxr.attestation.export_signatures import require_library, verify_export_signatures
from cxr.compare.verify_findings import Finding
from cxr.errors import HubError, UsageError
from cxr.interruption import obey
from cxr.json_file import load_json_object
from cxr.progress import SILENCE, Progress
from cxr.publication.download import check_listing, download_files
from cxr.publication.hub import Hub, open_hub
from cxr.publication.repository import (
    describe_place,
    is_commit,
    load_commit,
    load_files,
    load_refs,
    require_repository_name,
    require_tag_name,
)
from cxr.records.exported import EXPORT
from cxr.records.free_place import require_free, require_writable
from cxr.release.export_record import ExportRecord
from cxr.release.verify_export import verify_export

if TYPE_CHECKING:
    from cxr.attestation.keys import ExportPublicKey

_SHORT: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A release that was fetched, or what is wrong with it.

    Attributes:
        directory: Where it lies; nothing is there where there are findings.
        endpoint: The hub it came from.
        repo: The repository.
        revision: What was asked for.
        commit: Which commit that is.
        num_files: Files that were checked.
        record: ``export.json``; empty where there are findings.
        findings: What is not as it must be.
        signed: Files under a good signature of the key, or that follow from such.
        unsigned: The other files, where a key was given.
    """

    directory: Path
    endpoint: str
    repo: str
    revision: str
    commit: str
    num_files: int
    record: ExportRecord
    findings: list[Finding]
    signed: list[str]
    unsigned: list[str]


def parse_release(name: str) -> tuple[str, str]:
    """Return repository and revision of ``OWNER/NAME@REVISION``.

    Raises:
        UsageError: It is something else.
    """
    repo, at, revision = name.partition("@")
    if not at:
        raise UsageError(
            "the revision is missing, and a branch may move",
            where=name,
            hint="name a tag or a whole commit, as in OWNER/NAME@v1.0.0",
        )
    require_repository_name(repo)
    if not is_commit(revision):
        require_tag_name(revision)
    return repo, revision


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
    require_free(directory, what="release")
    require_writable(directory)
    hub = open_hub()
    commit = _find_commit(hub, repo, revision)
    files = load_files(hub, repo, commit)
    findings = list(check_listing(files))
    record: ExportRecord = {}
    signed, unsigned = list[str](), list[str]()
    place = directory.absolute().parent
    make_directory(place)
    with storage_errors(place), tempfile.TemporaryDirectory(prefix=".", dir=place) as temporary:
        growing = Path(temporary) / "release"
        make_directory(growing)
        if not findings:
            findings = download_files(hub, repo, commit, files, growing, progress)
        findings = findings or verify_export(growing).findings
        if key is not None and not findings:
            found = verify_export_signatures(growing, key)
            findings, signed, unsigned = found.findings, found.signed, found.unsigned
        if not findings:
            findings = _check_moved(hub, repo, revision, commit)
        if not findings:
            record = load_json_object(growing / EXPORT)
            obey("the fetched release")
            _name(growing, directory)
            flush_directory(place)
    return Fetched(
        directory=directory,
        endpoint=hub.endpoint,
        repo=repo,
        revision=revision,
        commit=commit,
        num_files=len(files),
        record=record,
        findings=findings,
        signed=signed,
        unsigned=unsigned,
    )


def _find_commit(hub: Hub, repo: str, revision: str) -> str:
    """Return the commit of a tag, or the commit itself once the hub has it.

    Raises:
        HubError: The hub has no such revision.
        UsageError: It is a branch.
    """
    if is_commit(revision):
        return load_commit(hub, repo, revision)
    refs = load_refs(hub, repo)
    where = describe_place(hub, repo)
    if refs is None:
        raise HubError(
            "there is no such repository, or you may not see it",
            where=where,
            hint="check its name, or log in with hf auth login",
        )
    if revision in refs.tags:
        return load_commit(hub, repo, refs.tags[revision])
    if revision in refs.branches:
        raise UsageError(
            f"{revision} is a branch, which moves",
            where=where,
            hint=f"as it is now: cxr fetch {repo}@{refs.branches[revision]}",
        )
    known = ", ".join(sorted(refs.tags)[:10]) or "none"
    raise HubError(
        f"there is no tag {revision}", where=where, hint=f"its tags: {known}; or name a commit"
    )


def _check_moved(hub: Hub, repo: str, revision: str, commit: str) -> list[Finding]:
    """Ask once more what a tag means: files were listed and fetched in between."""
    if is_commit(revision):
        return []
    refs = load_refs(hub, repo)
    target = refs.tags.get(revision) if refs is not None else None
    now = load_commit(hub, repo, target) if target is not None else "nothing"
    if now == commit:
        return []
    said = f"the tag moved while it was fetched, from {commit} to {now}"
    return [Finding(revision, said)]


def _name(growing: Path, directory: Path) -> None:
    """Give a directory its name; an empty one there makes way, anything else does not."""
    with storage_errors(directory):
        growing.chmod(0o777 & ~_read_mask())
        growing.rename(directory)


def _read_mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
