"""Sending what a plan says: repository, commit, tag. What broke off goes on when done again."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cxr.errors import HubError, ReleaseDiffersError
from cxr.interruption import obey
from cxr.progress import Progress
from cxr.publication.hub import Hub
from cxr.publication.hub_errors import explained
from cxr.publication.plan import BRANCH, SAME, Plan, find_differences
from cxr.publication.repository import describe_place, is_commit, load_commit, load_files, load_refs
from cxr.release.layout import ONNX, WEIGHTS

_TAGGING: Final = "setting the tag; the commit is there, publishing again sets it"


def send(hub: Hub, plan: Plan, *, is_public: bool, message: str, progress: Progress) -> str:
    """Do what a plan says; return the commit that the tag names.

    Large files are sent first, and are in no commit then; the commit holds all files or none; the
    tag comes last, once the hub lists what was meant. So a repository never shows half a release.

    Args:
        hub: The hub.
        plan: What to do.
        is_public: Whether a new repository is for everybody to see.
        message: Of the commit.
        progress: Told how much was sent.

    Raises:
        HubError: The hub does not do it.
        ReleaseDiffersError: It holds something else afterwards than what was sent.
    """
    where = describe_place(hub, plan.repo)
    parent = plan.parent
    if not plan.exists:
        obey("creating the repository")
        with explained(where):
            hub.api.create_repo(plan.repo, private=not is_public)
        parent = _find_branch(hub, plan.repo)
    commit = _commit(hub, plan, parent, message, progress) if plan.needs_commit else parent
    if commit is None or not is_commit(commit):
        raise HubError("the hub does not name the commit", where=where, hint="publish again")
    differing = find_differences(plan.directory, load_files(hub, plan.repo, commit))
    if differing:
        raise ReleaseDiffersError(
            f"the hub holds something else than what was sent: {', '.join(differing)[:200]}",
            where=f"{plan.repo}@{commit} at {hub.endpoint}",
            hint="the tag was not set; see whether a .gitignore is there, then publish again",
        )
    obey(_TAGGING)
    with explained(f"tag {plan.tag} of {where}"):
        hub.api.create_tag(plan.repo, tag=plan.tag, revision=commit)
    refs = load_refs(hub, plan.repo)
    found = refs.tags.get(plan.tag) if refs is not None else None
    if found is None or load_commit(hub, plan.repo, found) != commit:
        raise ReleaseDiffersError(
            f"the tag names another commit than the one that was made, {commit}",
            where=f"{plan.repo}@{plan.tag} at {hub.endpoint}",
            hint="somebody else published at the same time: look at the repository",
        )
    return commit


def _find_branch(hub: Hub, repo: str) -> str | None:
    refs = load_refs(hub, repo)
    return refs.branches.get(BRANCH) if refs is not None else None


def _commit(hub: Hub, plan: Plan, parent: str | None, message: str, progress: Progress) -> str:
    """Make the commit, on top of what was looked at and of nothing else."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    changed = [one for one in plan.files if one.change != SAME]
    told = _Told(progress, plan.num_bytes)
    with explained(describe_place(hub, plan.repo)), contextlib.ExitStack() as stack:
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationDelete(name, is_folder=False) for name in plan.removed
        ]
        for one in changed:
            # As a stream: told and stopped as it goes, and sent by git's own protocol for large
            # files, which every hub speaks.
            stream = stack.enter_context(_told_file(plan.directory / one.name, told))
            operations.append(CommitOperationAdd(one.name, stream))
        told.is_sending = True
        # One by one, and in this thread: of several the client makes threads, which no signal ends.
        for added in operations:
            if isinstance(added, CommitOperationAdd) and added.path_in_repo in (WEIGHTS, ONNX):
                hub.api.preupload_lfs_files(plan.repo, [added], num_threads=1, free_memory=False)
        made = hub.api.create_commit(
            plan.repo,
            operations,
            commit_message=message,
            parent_commit=parent,
            num_threads=1,
        )
        obey(_TAGGING)
        progress.advance("bytes sent", plan.num_bytes, plan.num_bytes)
    return made.oid


class _Told:
    """How much was sent of all files; reading them to compute digests is not counted."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.is_sending = False
        self._progress, self._total, self._done = progress, total, 0

    def add(self, num_bytes: int) -> None:
        if self.is_sending:
            # What is sent again, after the hub was busy, counts once.
            self._done = min(self._done + num_bytes, max(self._total - 1, 0))
            self._progress.advance("bytes sent", self._done, self._total)


class _ToldFile(io.BufferedReader):
    """A file that tells how much of it was read, and where a signal stops the reading."""

    told: _Told

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.told.add(len(content))
        return content


@contextlib.contextmanager
def _told_file(path: Path, told: _Told) -> Iterator[_ToldFile]:
    with _ToldFile(io.FileIO(path)) as stream:
        stream.told = told
        yield stream
