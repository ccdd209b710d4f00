"""The MD5 here are those that DVC 3.67.1 wrote for these files."""

from __future__ import annotations

import hashlib
import json

import pytest

from cxr.data.checks.dvc_file import digest_listing, verify_dvc_file
from cxr.errors import DataError, RecordError

FILES = {
    "a b/.h": b"",
    "a.png": b"two\r\n",
    "a/1.png": b"one",
    "ä.png": "ä".encode(),
}
MD5 = "34d9231591f6560e5a696911052decf8.dir"


@pytest.fixture
def target(tmp_path):
    for name, content in FILES.items():
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).write_bytes(content)
    (tmp_path / ".dvcignore").write_text("# Add patterns\n")
    return write(tmp_path, MD5)


def write(directory, md5, path="images", more="  hash: md5\n"):
    file = directory / f"{path}.dvc"
    file.write_text(f"outs:\n- md5: {md5}\n  size: 10\n{more}  path: {path}\n")
    return file


def keep_listing(directory):
    rows = [
        {"md5": hashlib.md5(FILES[name], usedforsecurity=False).hexdigest(), "relpath": name}
        for name in sorted(FILES)
    ]
    place = directory / ".dvc" / "cache" / "files" / "md5" / MD5[:2] / MD5[2:]
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(rows, sort_keys=True))
    return place


def describe(report):
    return [(found.kind, found.paths) for found in report.problems]


def test_the_digest_of_a_directory_is_that_of_dvc(target):
    digests = {
        name: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for name, content in FILES.items()
    }
    assert digest_listing(digests) == MD5
    report = verify_dvc_file(target)
    assert (report.verdict, report.samples, report.bytes) == ("verified", 4, 10)


def test_what_changed_is_named_where_the_cache_has_the_list(target):
    keep_listing(target.parent)
    images = target.parent / "images"
    (images / "a.png").write_bytes(b"twp\r\n")
    (images / "a" / "1.png").unlink()
    (images / "new.png").write_bytes(b"")
    report = verify_dvc_file(target)
    assert report.verdict == "differs"
    assert describe(report) == [
        ("missing", ("images/a/1.png",)),
        ("extra", ("images/new.png",)),
        ("changed", ("images/a.png",)),
    ]


@pytest.mark.parametrize("content", [None, "[]", "{", '[{"md5": 1}]'])
def test_without_a_sound_list_the_directory_itself_differs(target, content):
    if content is not None:
        keep_listing(target.parent).write_text(content)
    (target.parent / "images" / "a.png").write_bytes(b"twp\r\n")
    assert describe(verify_dvc_file(target)) == [("changed", ("images",))]


def test_directories_that_are_linked_to_one_another_are_listed_to_an_end(target):
    (target.parent / "images" / "a" / "up").symlink_to("..", target_is_directory=True)
    (target.parent / "images" / "up").symlink_to("../..", target_is_directory=True)
    report = verify_dvc_file(target)
    assert (report.verdict, report.samples) == ("verified", 4)


def test_a_working_directory_of_its_own(target):
    (target.parent / "below").mkdir()
    moved = target.rename(target.parent / "below" / "images.dvc")
    moved.write_text(f"wdir: ..\n{moved.read_text()}")
    assert verify_dvc_file(moved).verdict == "verified"
    (target.parent / "images" / "a.png").write_bytes(b"other")
    assert describe(verify_dvc_file(moved)) == [("changed", ("../images",))]


@pytest.mark.parametrize("text", ["outs: []\n", "outs:\n- md5: x\n  hash: md5\n  path: ''\n"])
def test_a_file_that_names_nothing_is_no_pass(tmp_path, text):
    file = tmp_path / "none.dvc"
    file.write_text(text)
    with pytest.raises(RecordError, match=r"not a \.dvc file"):
        verify_dvc_file(file)


def test_a_single_file(tmp_path):
    target = write(tmp_path, hashlib.md5(b"x", usedforsecurity=False).hexdigest(), "one.png")
    assert describe(verify_dvc_file(target)) == [("missing", ("one.png",))]
    (tmp_path / "one.png").write_bytes(b"x")
    assert verify_dvc_file(target).verdict == "verified"
    (tmp_path / "one.png").write_bytes(b"y")
    assert describe(verify_dvc_file(target)) == [("changed", ("one.png",))]


def test_an_empty_directory_is_not_the_one_that_was_added(tmp_path):
    (tmp_path / "images").mkdir()
    assert describe(verify_dvc_file(write(tmp_path, MD5))) == [("changed", ("images",))]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("outs: 3\n", r"not a \.dvc file"),
        ("outs:\n- path: images\n", r"not a \.dvc file"),
        ("{", r"not a \.dvc file"),
        (f"outs:\n- md5: {MD5}\n  path: images\n", "of a DVC below 3"),
    ],
)
def test_what_is_no_such_file_is_refused(target, content, problem):
    target.write_text(content)
    with pytest.raises(RecordError, match=problem):
        verify_dvc_file(target)
    target.unlink()
    with pytest.raises(RecordError, match=r"cannot read the \.dvc file"):
        verify_dvc_file(target)


@pytest.mark.parametrize("place", [".", "images/a"])
def test_patterns_that_leave_files_out_are_dvc_s_to_read(target, place):
    (target.parent / place / ".dvcignore").write_text("*.tmp\n")
    with pytest.raises(DataError, match="decide which files count"):
        verify_dvc_file(target)
