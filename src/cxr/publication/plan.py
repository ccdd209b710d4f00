"""What a publication would change on a hub, found out without changing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.digests.files import digest_file
from cxr.errors import ReleaseDiffersError, UsageError
from cxr.publication.hub import Hub
from cxr.publication.repository import (
    OWN_FILES,
    RemoteFile,
    describe_place,
    load_commit,
    load_files,
    load_refs,
)
from cxr.records.exported import EXPORT
from cxr.release.layout import CARD, RELEASED

BRANCH: Final = "main"
"""The branch that a repository of a hub begins with."""

NEW: Final = "new"
CHANGED: Final = "changed"
SAME: Final = "same"

_STARTERS: Final = (*OWN_FILES, CARD, "LICENSE")
"""What a repository may hold that somebody has just made on the hub's pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A file that would be published.

    Attributes:
        name: Its name.
        size_bytes: Its size.
        digest: ``sha256:<hex>`` of its bytes.
        change: `NEW`, `CHANGED` or `SAME`, against what the branch holds now.
    """

    name: str
    size_bytes: int
    digest: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done.

    Attributes:
        directory: What is published.
        endpoint: The hub's address.
        repo: The repository.
        tag: The tag.
        exists: Whether the repository is there.
        parent: The branch's commit as it was looked at; None in a new repository.
        tagged: The tag's commit, where the tag is there, with this content.
        files: What would be published, in name order.
        removed: Files of an earlier release that would go, in name order.
    """

    directory: Path
    endpoint: str
    repo: str
    tag: str
    exists: bool
    parent: str | None
    tagged: str | None
    files: tuple[PlannedFile, ...]
    removed: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        """Whether all of it is there already."""
        return self.tagged is not None

    @property
    def needs_commit(self) -> bool:
        """Whether the branch holds something else."""
        return bool(self.removed) or any(one.change != SAME for one in self.files)

    @property
    def num_bytes(self) -> int:
        """The size of what would be sent."""
        return sum(one.size_bytes for one in self.files if one.change != SAME)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return {
            "endpoint": self.endpoint,
            "repo": self.repo,
            "tag": self.tag,
            "exists": self.exists,
            "parent": self.parent,
            "files": {
                one.name: {"size": one.size_bytes, "sha256": one.digest, "change": one.change}
                for one in self.files
            },
            "removed": list(self.removed),
            "bytes": self.num_bytes,
        }


def make_plan(hub: Hub, directory: Path, repo: str, tag: str) -> Plan:
    """Compare a directory with what a repository holds.

    Args:
        hub: The hub.
        directory: What would be published: every file in it.
        repo: The repository.
        tag: The tag.

    Raises:
        HubError: The hub does not say what it holds.
        ReleaseDiffersError: The tag is there with other content, or the repository holds something
            that is no release.
        UsageError: A branch has the tag's name.
    """
    refs = load_refs(hub, repo)
    if tag == BRANCH or (refs is not None and tag in refs.branches):
        raise UsageError(
            "a branch has that name, which would mean both",
            where=f"{repo}@{tag} at {hub.endpoint}",
            hint="name the tag as v1.0.0",
        )
    parent, tagged = None, None
    remote: Mapping[str, RemoteFile] = {}
    if refs is not None:
        if tag in refs.tags:
            tagged = load_commit(hub, repo, refs.tags[tag])
            _require_equal(hub, directory, repo, tag, tagged)
        parent = refs.branches.get(BRANCH)
        if parent is not None:
            remote = load_files(hub, repo, parent)
            if tagged is None:
                _require_release(hub, repo, remote)
    names = {path.name: path for path in sorted(directory.iterdir())}
    return Plan(
        directory=directory,
        endpoint=hub.endpoint,
        repo=repo,
        tag=tag,
        exists=refs is not None,
        parent=parent,
        tagged=tagged,
        files=tuple(
            PlannedFile(
                name=name,
                size_bytes=path.stat().st_size,
                digest=digest_file(path),
                change=_compare(path, remote.get(name)),
            )
            for name, path in names.items()
        ),
        removed=tuple(sorted(remote.keys() - names.keys() - {*OWN_FILES})),
    )


def find_differences(directory: Path, remote: Mapping[str, RemoteFile]) -> list[str]:
    """Return, in order, the files that a commit does not hold as a directory does."""
    names = {path.name for path in directory.iterdir()}
    return sorted(
        name
        for name in (names | remote.keys()) - {*OWN_FILES}
        if name not in names or _compare(directory / name, remote.get(name)) != SAME
    )


def _compare(path: Path, remote: RemoteFile | None) -> str:
    """Say how a file stands to what the hub has under its name."""
    if remote is None:
        return NEW
    return SAME if remote.describes(path) else CHANGED


def _require_equal(hub: Hub, directory: Path, repo: str, tag: str, commit: str) -> None:
    differing = find_differences(directory, load_files(hub, repo, commit))
    if differing:
        raise ReleaseDiffersError(
            f"the tag is there already, with other content: {', '.join(differing)[:200]}",
            where=f"{repo}@{tag} at {hub.endpoint}, commit {commit}",
            hint="publish under another tag: what is published stays what it is",
        )


def _require_release(hub: Hub, repo: str, remote: Mapping[str, RemoteFile]) -> None:
    known = {*_STARTERS, *RELEASED} if EXPORT in remote else {*_STARTERS}
    if others := sorted(remote.keys() - known):
        raise ReleaseDiffersError(
            f"the repository holds something that is no release: {', '.join(others)[:200]}",
            where=describe_place(hub, repo),
            hint="name another repository: a release replaces everything in it",
        )
