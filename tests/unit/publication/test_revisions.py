"""What a tag, a commit and a branch mean to whoever fetches, also where that changes meanwhile."""

from __future__ import annotations

import pytest

from cxr.errors import (
    HubError,
    UsageError,
)
from cxr.publication.fetch_release import fetch_release
from support.releases import REPO, TAG, name_findings, put, read_files, seal_anew


@pytest.mark.parametrize("moves", ["after the listing", "before its last question"])
def test_a_tag_that_moves_meanwhile_is_seen(hub, fetch, export, moves):
    first = put(hub, read_files(export))
    (export / "README.md").write_text("another release\n")
    seal_anew(export)
    second = put(hub, read_files(export), tag=None)
    part = "/tree/" if moves == "after the listing" else "recipe.yaml"

    def move(line: str) -> None:
        if part in line:
            hub.repositories[REPO].tags[TAG] = second

    hub.on_answer = move
    said = f"the tag moved while it was fetched, from {first} to {second}"
    assert name_findings(fetch()) == [(TAG, said)]
    # All of it was asked for by commit, so a commit is not touched by what a tag does.
    assert not [line for line in hub.list_asked("/resolve/") if first not in line]


def test_an_annotated_tag_is_the_commit_that_its_object_names(hub, fetch, export):
    commit = put(hub, read_files(export))
    hub.repositories[REPO].annotations["c" * 40] = commit
    hub.repositories[REPO].tags[TAG] = "c" * 40
    assert fetch(kept=True).commit == commit


def test_a_commit_for_which_the_hub_gives_another_is_refused(hub, fetch, export):
    hub.repositories.clear()
    commit = put(hub, read_files(export))
    hub.repositories[REPO].annotations["c" * 40] = commit
    with pytest.raises(HubError, match=f"answers with another commit: {commit}"):
        fetch("c" * 40)


def test_a_branch_is_refused_with_its_commit(hub, fetch, export):
    commit = put(hub, read_files(export))
    with pytest.raises(UsageError) as caught:
        fetch("main")
    assert caught.value.hint == f"as it is now: cxr fetch {REPO}@{commit}"


@pytest.mark.parametrize("revision", ["v9", "a" * 40])
def test_what_the_hub_does_not_have_is_an_error(hub, fetch, export, revision):
    put(hub, read_files(export))
    with pytest.raises(HubError):
        fetch(revision)


@pytest.mark.parametrize(
    "name",
    [REPO, f"{REPO}@", f"{REPO}@../x", "model@v1", "a/b/c@v1", "../x@v1", "a/b-@v1", "a/b--c@v1"],
)
def test_what_is_no_name_of_a_release_is_refused(hub, name):
    with pytest.raises(UsageError):
        fetch_release(name)
    assert hub.asked == []
