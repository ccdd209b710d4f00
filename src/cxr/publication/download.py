"""Downloading a commit's files into a directory that nobody uses yet, each no larger than told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from cxr.atomic import atomic_writer, storage_errors
from cxr.compare.verify_findings import Finding
from cxr.errors import StorageError
from cxr.progress import Progress
from cxr.publication.answers import COMMIT_HEADER, open_answer, try_again
from cxr.publication.hub import Hub
from cxr.publication.repository import OWN_FILES, RemoteFile
from cxr.release.layout import ALWAYS, RELEASED


def check_listing(files: Mapping[str, RemoteFile]) -> Iterator[Finding]:
    """Say which files of a commit are none of a release, and which are missing.

    Only known names pass, so no path leads out of the directory that files are written to.
    """
    for name in sorted(files.keys() - {*RELEASED, *OWN_FILES}):
        yield Finding(name, "was added: it is no file of a release")
    for name in sorted({*ALWAYS} - files.keys()):
        yield Finding(name, "is missing")


def download_files(
    hub: Hub,
    repo: str,
    commit: str,
    files: Mapping[str, RemoteFile],
    directory: Path,
    progress: Progress,
) -> list[Finding]:
    """Download every file of a release, and say which are not as the hub listed them.

    Args:
        hub: The hub.
        repo: The repository.
        commit: The commit.
        files: What `check_listing` passed.
        directory: Where they go.
        progress: Told how many bytes have come.

    Raises:
        HubError: The hub does not give them.
        StorageError: They cannot be written.
    """
    wanted = {name: files[name] for name in sorted(files.keys() & {*RELEASED})}
    total = sum(one.size_bytes for one in wanted.values())
    with storage_errors(directory, option="--out"):
        free = shutil.disk_usage(directory).free
    if total > free:
        raise StorageError(
            f"the release has {total:,} bytes, and {free:,} are free",
            where=str(directory),
            hint="free space there, or write elsewhere (--out)",
        )
    done, findings = 0, list[Finding]()
    for name, listed in wanted.items():
        found = _download(
            hub, repo, commit, name, listed, directory / name, (done, total, progress)
        )
        done += listed.size_bytes
        if found is not None:
            # Nothing more is asked of a hub that gave something else once.
            findings.append(Finding(name, found))
            break
    return findings


def _download(
    hub: Hub,
    repo: str,
    commit: str,
    name: str,
    listed: RemoteFile,
    path: Path,
    told: tuple[int, int, Progress],
) -> str | None:
    """Download a file; return what is wrong with it."""
    url = f"{hub.endpoint}/{repo}/resolve/{commit}/{quote(name, safe='')}"
    before, total, progress = told

    def ask() -> str | None:
        num_bytes = 0
        where = f"{name} of {repo}@{commit} at {hub.endpoint}"
        with (
            open_answer(hub, url, where=where) as answer,
            atomic_writer(path, option="--out") as stream,
        ):
            found = answer.headers.get(COMMIT_HEADER, commit)
            if found != commit:
                return f"is of another commit than the one that was asked for: {found[:40]!r}"
            # As they come: larger pieces of a slow answer would keep a signal waiting.
            for piece in answer.iter_bytes():
                num_bytes += len(piece)
                if num_bytes > listed.size_bytes:
                    return f"is larger than the {listed.size_bytes:,} bytes that the hub listed"
                stream.write(piece)
                progress.advance("bytes fetched", before + num_bytes, total)
        if num_bytes < listed.size_bytes:
            return f"has {num_bytes:,} bytes, the hub listed {listed.size_bytes:,}"
        if not listed.describes(path):
            return "has other bytes than those that the hub listed"
        return None

    return try_again(ask)
