"""What a revision of a repository means: a commit, and whether it still does."""

from __future__ import annotations

from cxr.compare.verify_findings import Finding
from cxr.errors import HubError, UsageError
from cxr.publication.hub import Hub
from cxr.publication.repository import (
    describe_place,
    is_commit,
    load_commit,
    load_refs,
    require_repository_name,
    require_tag_name,
)


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


def find_commit(hub: Hub, repo: str, revision: str) -> str:
    """Return the commit of a tag, or the commit itself once the hub has it.

    Raises:
        HubError: The hub has no such revision.
        UsageError: It is a branch.
    """
    if is_commit(revision):
        if (found := load_commit(hub, repo, revision)) != revision:
            raise HubError(
                f"the hub answers with another commit: {found}",
                where=f"{repo}@{revision} at {hub.endpoint}",
                hint="try again",
            )
        return found
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
    known = ", ".join(sorted(refs.tags)[:10])[:200] or "none"
    raise HubError(
        f"there is no tag {revision}", where=where, hint=f"its tags: {known}; or name a commit"
    )


def check_moved(hub: Hub, repo: str, revision: str, commit: str) -> list[Finding]:
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
