"""Fetching a release: into a place beside, checked to the last byte, and named only then."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxr.atomic import flush_directory, make_directory, storage_errors
from cxr.attestation.export_signatures import require_library, verify_export_signatures
from cxr.compare.verify_findings import Finding
from cxr.errors import RecordError, RunDirectoryTakenError
from cxr.interruption import obey
from cxr.json_file import load_json_object
from cxr.progress import SILENCE, Progress
from cxr.publication.download import check_listing, download_files
from cxr.publication.hub import open_hub
from cxr.publication.repository import is_commit, load_files
from cxr.publication.revisions import check_moved, find_commit, parse_release
from cxr.records.exported import EXPORT, is_export
from cxr.records.free_place import require_free, require_writable
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
    target = _find_target(directory)
    hub = open_hub()
    commit = find_commit(hub, repo, revision)
    files = load_files(hub, repo, commit)
    findings = list(check_listing(files))
    record: ExportRecord = {}
    signed, unsigned = list[str](), list[str]()
    where = f"{repo}@{commit} at {hub.endpoint}"
    with _growing_beside(target) as growing:
        if not findings:
            findings = download_files(hub, repo, commit, files, growing, progress)
        if not findings:
            with _named_as_released(growing, where, hint=_NO_RELEASE):
                findings = verify_export(growing).findings
        if key is not None and not findings:
            with _named_as_released(growing, where):
                found = verify_export_signatures(growing, key)
            findings, signed, unsigned = found.findings, found.signed, found.unsigned
        if not findings:
            findings = check_moved(hub, repo, revision, commit)
        if not findings:
            record = load_json_object(growing / EXPORT)
            obey("the fetched release")
            _name(growing, target)
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
    )


def _find_target(directory: Path) -> Path:
    """Return where a release is given its name, once it is known that it can be.

    An empty directory there makes way; but only one that can, which is found out before the hub is
    asked for anything.

    Raises:
        RunDirectoryTakenError: It cannot.
        StorageError: Nothing can be written there.
    """
    what = ""
    if directory.is_symlink():
        what = "a link stands"
    elif directory.is_dir() and directory.samefile(Path()):
        what = "the working directory is"
    elif directory.is_mount():
        what = "a disk is mounted"
    if what:
        raise RunDirectoryTakenError(
            f"{what} where the release would be written",
            where=str(directory),
            hint="name a new directory, or one inside of it, with --out",
        )
    require_free(directory, what="release")
    require_writable(directory)
    with storage_errors(directory):
        target = directory.resolve()
    if above := next(filter(is_export, target.parents), None):
        raise RunDirectoryTakenError(
            "the release would be written into an export or another release",
            where=f"{directory}, below {above}",
            hint="name a place outside of it with --out",
        )
    return target


@contextlib.contextmanager
def _growing_beside(target: Path) -> Iterator[Path]:
    """Make a directory from which a rename leads to ``target``; what is not renamed goes.

    Directories above that are not there yet are not made for what may never be there.
    """
    place = next(above for above in target.parents if above.exists())
    with storage_errors(place), tempfile.TemporaryDirectory(prefix=".", dir=place) as temporary:
        growing = Path(temporary) / "release"
        make_directory(growing)
        yield growing


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


def _name(growing: Path, target: Path) -> None:
    """Give a directory its name; an empty one there makes way, anything else does not."""
    make_directory(target.parent)
    with storage_errors(target):
        growing.rename(target)
        flush_directory(target.parent)
