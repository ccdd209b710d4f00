from __future__ import annotations

import os

import pytest

from cxr.data.checks.kinds import KINDS
from cxr.data.sources.listing import list_images
from cxr.data.sources.strays import find_strays
from cxr.errors import DataError
from support.hostile_images import JPEG, encode

SPLITS = ("train", "val", "test")


@pytest.fixture
def root(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split / "A").mkdir(parents=True)
        (tmp_path / split / "A" / "a.jpeg").write_bytes(JPEG)
    return tmp_path


def find(root, splits=SPLITS):
    strays = find_strays(root, splits)
    assert all(kind in KINDS for _, kind, _ in strays)
    return [(path, kind) for path, kind, _ in strays]


def test_a_clean_set_has_none_whatever_stands_beside_its_splits(root):
    (root / ".DS_Store").write_bytes(b"")
    (root / "elsewhere.webp").write_bytes(encode(file_format="WEBP"))
    assert find(root) == []


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        (".hidden.jpeg", JPEG, "hidden"),
        (".noext", JPEG, "hidden"),
        (".empty.png", b"", "hidden"),
        ("._a.jpeg", b"\0\x05\x16\x07\0\x02\0\0", "appledouble"),
        ("._a.jpeg", JPEG, "hidden"),
        (".DS_Store", b"\0\0\0\x01Bud1", "os-file"),
        ("Thumbs.db", b"", "os-file"),
        ("noext", JPEG, "wrong-suffix"),
        ("a.jpeg.bak", JPEG, "wrong-suffix"),
        ("a.webp", encode(file_format="WEBP"), "unsupported-format"),
        ("a.gif", encode(file_format="GIF"), "unsupported-format"),
    ],
)
def test_each_stray_has_its_kind_and_is_passed_over(root, name, content, kind):
    (root / "train" / "A" / name).write_bytes(content)
    assert find(root) == [(f"train/A/{name}", kind)]
    assert [path.name for path in list_images(root / "train")] == ["a.jpeg"]


@pytest.mark.parametrize("name", ["labels.csv", "README", "README.md", ".gitignore", "x.dvc"])
def test_texts_are_none(root, name):
    (root / "train" / "A" / name).write_text("BM, or so it seems: a table of images\n")
    assert find(root) == []


def test_images_by_name_are_not_opened_and_pipes_do_not_stop_anything(root):
    os.mkfifo(root / "train" / "A" / "pipe")
    os.mkfifo(root / "train" / "A" / "pipe.jpeg")
    (root / "train" / "folder.png").mkdir()
    assert find(root) == []


def test_a_hidden_folder_of_images_is_one_stray(root):
    (root / "train" / ".trash" / "deep").mkdir(parents=True)
    (root / "train" / ".git").mkdir()
    for name in ("a.jpeg", "deep/b.png"):
        (root / "train" / ".trash" / name).write_bytes(JPEG)
    ((path, kind, detail),) = find_strays(root, SPLITS)
    assert (path, kind) == ("train/.trash", "hidden")
    assert detail.endswith("images: 2")


def test_a_folder_that_is_linked_twice_is_named_where_it_is_passed_over(root):
    (root / "train" / "Z").symlink_to(root / "train" / "A")
    assert find(root) == [("train/Z", "linked-twice")]
    listed = [path.relative_to(root).as_posix() for path in list_images(root / "train")]
    assert listed == ["train/A/a.jpeg"]


def test_a_folder_that_links_to_what_is_above_ends(root):
    (root / "train" / "A" / "up").symlink_to(root / "train")
    assert find(root) == [("train/A/up", "linked-twice")]


def test_links_into_another_split_and_out_of_the_set_are_named(root, tmp_path_factory):
    outside, apart = tmp_path_factory.mktemp("outside"), tmp_path_factory.mktemp("apart")
    (outside / "b.jpeg").write_bytes(JPEG)
    (root / "train" / "B").symlink_to(root / "test" / "A")
    (root / "train" / "C").symlink_to(outside)
    for number in range(3):
        (root / "test" / "A" / f"{number}.jpeg").symlink_to(outside / "b.jpeg")
    (root / "test" / "A" / "same.jpeg").symlink_to("a.jpeg")
    (root / "val").symlink_to(apart)
    found = {path: (kind, detail) for path, kind, detail in find_strays(root, SPLITS)}
    assert found == {
        "train/B": ("link-outside", "a folder that is a link into another split"),
        "train/C": ("link-outside", "a folder that is a link out of the data set"),
        "test/A": ("link-outside", "3 of its files are links out of the data set"),
        "val": ("link-outside", "a folder that is a link out of the data set"),
    }


def test_a_set_that_is_reached_through_a_link_lies_within_itself(root, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "set"
    link.symlink_to(root)
    (root / "train" / "A" / "same.jpeg").symlink_to("a.jpeg")
    assert find(link) == []


def test_without_splits_the_whole_directory_is_looked_at(root):
    (root / "noext").write_bytes(JPEG)
    assert find(root, ()) == [("noext", "wrong-suffix")]


def test_a_directory_that_cannot_be_listed_is_an_error(root, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path) == str(root / "train" / "A"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    # Root may list every directory, so its permissions cannot be taken away in earnest.
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="cannot list a directory: Permission denied") as caught:
        find(root)
    assert caught.value.where == str(root / "train" / "A")
