from __future__ import annotations

import os
import subprocess
import sys
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
        (["**"], {"a.csv", "data/b.csv", "data/deep/c.csv", "data/.hidden"}),
        (["data/**"], {"data/b.csv", "data/deep/c.csv", "data/.hidden"}),
        (["*/.h*", "a.csv/", "a.csv/x"], {"data/.hidden"}),
        (["d*/[a-c].csv", "x" * 300], {"data/b.csv"}),
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


def test_a_linked_directory_counts_and_a_loop_ends(place):
    (place.parent / "beside").mkdir()
    (place.parent / "beside" / "d.csv").write_text("d")
    (place / "data" / "linked").symlink_to("../../beside")
    # Two that lead back: without a memory, 2**40 ways go through them.
    for name in ("l1", "l2"):
        (place / "data" / "deep" / name).symlink_to(".")
    wanted = {"data/b.csv", "data/deep/c.csv", "data/linked/d.csv"}
    assert find_files(["data"], place, besides=None) == wanted | {"data/.hidden"}
    assert find_files(["data/**/*.csv"], place, besides=None) == wanted


LOCKED = """
import os, sys
from pathlib import Path
from cxr.errors import RecordError
from cxr.integrations.declared_files import find_files

print("data/deep/c.csv" in find_files(sys.argv[1:], Path(), besides=None))
os.chmod("data/deep", 0)
if os.getuid() == 0:
    # Root may read what is locked; nobody may not.
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    print(find_files(sys.argv[1:], Path(), besides=None))
except RecordError as error:
    print(error.where)
"""
"""Finds files, locks a directory, and finds them again."""


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        ("data", "data/deep"),
        ("**/*.csv", "data/deep"),
        ("data/*/c.csv", "data/deep/c.csv"),
        ("data/deep/*", "data/deep"),
    ],
)
def test_a_directory_that_cannot_be_read_is_an_error(place, pattern, where):
    finished = subprocess.run(
        [sys.executable, "-c", LOCKED, pattern],
        capture_output=True,
        text=True,
        cwd=place,
        check=False,
    )
    assert finished.stdout.splitlines() == ["True", where], finished.stderr


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
    assert find_named_files(["--config=data/b.csv", "="], place) == {"data/b.csv"}


def test_a_word_longer_than_any_name_is_no_file(place):
    assert find_named_files(["print(1)\t".strip() * 64, "x=" + "y" * 400], place) == set()
