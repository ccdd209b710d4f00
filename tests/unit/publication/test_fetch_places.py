"""Where a fetched release may go, and what is left where it does not."""

from __future__ import annotations

import pytest

from cxr.errors import (
    CxrError,
    RecordError,
    RunDirectoryTakenError,
)
from cxr.publication.fetch_release import fetch_release
from support.releases import REPO, TAG, put, read_files


def test_a_release_is_not_put_into_another_one(hub, export):
    put(hub, read_files(export))
    with pytest.raises(RunDirectoryTakenError, match="into an export or a release"):
        fetch_release(f"{REPO}@{TAG}", out=export / "sub")
    assert hub.asked == []


@pytest.mark.parametrize("what", ["link", "link to nothing", "working directory"])
def test_a_place_that_cannot_make_way_is_refused_before_the_hub_is_asked(
    hub, export, tmp_path, monkeypatch, what
):
    put(hub, read_files(export))
    place = tmp_path / "place"
    if what == "working directory":
        place.mkdir()
        monkeypatch.chdir(place)
    else:
        target = tmp_path / "target"
        place.symlink_to(target)
        if what == "link":
            target.mkdir()
    with pytest.raises(RunDirectoryTakenError, match="where the release would be written"):
        fetch_release(f"{REPO}@{TAG}", out=place)
    assert hub.asked == []


def test_an_empty_directory_makes_way(hub, fetch, export, tmp_path):
    put(hub, read_files(export))
    (tmp_path / "place" / "got").mkdir(parents=True)
    assert fetch(kept=True).findings == []


def test_directories_above_are_made_for_what_is_kept_alone(hub, export, tmp_path):
    put(hub, read_files(export))
    hub.bodies = {"README.md": "flip"}
    out = tmp_path / "deep" / "er" / "got"
    assert fetch_release(f"{REPO}@{TAG}", out=out).findings
    assert not (tmp_path / "deep").exists()
    hub.bodies = {}
    assert fetch_release(f"{REPO}@{TAG}", out=out).findings == []
    assert read_files(out) == read_files(export)


def test_an_error_names_a_file_of_the_release_and_no_place_that_is_gone(hub, fetch, export):
    commit = put(hub, {**read_files(export), "export.json": b"<html>"})
    with pytest.raises(RecordError, match="the record is not JSON") as caught:
        fetch()
    assert caught.value.where == f"export.json of {REPO}@{commit} at {hub.address}"


def test_nothing_is_written_over(hub, export):
    put(hub, read_files(export))
    with pytest.raises(CxrError, match="already exists and is not empty"):
        fetch_release(f"{REPO}@{TAG}", out=export)
    assert hub.asked == []
