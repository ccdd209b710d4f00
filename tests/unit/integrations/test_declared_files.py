from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxr.errors import RecordError, UsageError
from cxr.integrations.declared_files import find_files, find_named_files, hash_files


@pytest.fixture
def place(tmp_path) -> Path:
    """A working directory with files, and one beside it."""
    work = tmp_path / "work"
    for name in ("a.csv", "data/b.csv", "data/deep/c.csv", "data/.hidden", "data/.git/config"):
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "outside.csv").write_text("outside")
    return work


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (["*.csv"], {"a.csv"}),
        (["**/*.csv"], {"a.csv", "data/b.csv", "data/deep/c.csv"}),
        (["data"], {"data/b.csv", "data/deep/c.csv", "data/.hidden"}),
        (["./data/deep/", "a.csv"], {"a.csv", "data/deep/c.csv"}),
        (["none*"], set()),
    ],
)
def test_a_glob_stands_for_files_and_a_directory_for_all_of_its_files(place, patterns, wanted):
    assert find_files(patterns, place, besides=None) == wanted


def test_the_record_is_never_among_them(place):
    found = find_files(["**/*"], place, besides=place / "data" / "deep")
    assert found == {"a.csv", "data/b.csv", "data/.hidden"}


@pytest.mark.parametrize("pattern", ["../outside.csv", "data/../../outside.csv", "~/x", "/etc", ""])
def test_what_lies_outside_is_refused(place, pattern):
    with pytest.raises(UsageError, match="outside the working directory"):
        find_files([pattern], place, besides=None)


def test_a_link_counts_as_what_it_leads_to(place):
    (place / "link.csv").symlink_to("../outside.csv")
    found = find_files(["link.csv"], place, besides=None)
    assert hash_files(found, place)["link.csv"].bytes == len("outside")


def test_what_is_no_file_is_refused(place):
    (place / "gone").symlink_to("nowhere")
    os.mkfifo(place / "pipe")
    for name in ("gone", "pipe"):
        with pytest.raises(RecordError, match="is no file"):
            find_files([name], place, besides=None)


def test_a_name_that_a_terminal_would_obey_is_refused(place):
    (place / "a\x1b[2J").write_text("x")
    with pytest.raises(RecordError, match="control characters"):
        find_files(["*"], place, besides=None)


def test_words_of_a_command_that_name_files_below_are_inputs(place):
    words = ["python", "a.csv", str(place / "data" / "b.csv"), "data", "../outside.csv", "x\0y"]
    assert find_named_files(words, place) == {"a.csv", "data/b.csv"}
