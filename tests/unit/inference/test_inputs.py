from __future__ import annotations

import os
import shutil

import pytest

from cxr.config.data_section import DataConfig
from cxr.errors import DataError, UsageError
from cxr.inference.inputs import find_inputs, require_no_input

CONFIG = DataConfig(source="folder", root="x", classes=("a", "b"))


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2.png", "a/1.JPG", "a/3.dcm", "notes.txt", ".hidden.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    return tmp_path / "set"


def test_files_keep_their_order_and_those_of_a_folder_are_sorted(folder):
    found = find_inputs([folder / "b/2.png", folder], CONFIG)
    below = [os.path.relpath(one.path, folder) for one in found.images]
    assert below == ["b/2.png", "a/1.JPG", "a/3.dcm"]
    assert found.num_repeated == 1
    assert [kind for _, kind, _ in found.passed_over] == ["hidden"]


def test_one_file_under_two_spellings_is_one_and_under_two_names_two(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "link.png").symlink_to("b/2.png")
    names = [folder / "b/2.png", folder / "a/../b/2.png", folder / "link.png"]
    found = find_inputs([*names, type(folder)("b/2.png")], CONFIG)
    assert [one.path for one in found.images] == [str(names[0]), str(names[2])]
    assert found.num_repeated == 2


@pytest.mark.parametrize("source", ["folder", "npz"])
def test_a_name_that_is_no_text_is_refused_and_the_others_are_found(folder, source):
    strange = [folder / f"{name}{end}" for name in ("\udcff", "new\nline") for end in ("", ".npz")]
    for name in strange[::2]:
        shutil.copytree(folder / "b", name)
    config = CONFIG.model_copy(update={"source": source})
    found = find_inputs([*strange, folder / "a/1.JPG"], config)
    assert [one.path for one in found.images] == [str(folder / "a/1.JPG")]
    assert [one.detail for one in found.refused] == [
        "a name holds control characters or is not Unicode"
    ] * 4
    assert all(one.is_unread for one in found.refused)


def test_an_npz_file_is_opened_only_where_the_run_learnt_from_one(tmp_path):
    file = tmp_path / "set.npz"
    file.write_bytes(b"no zip")
    assert [one.path for one in find_inputs([file], CONFIG).images] == [str(file)]
    with pytest.raises(DataError, match="no image to predict") as caught:
        find_inputs([file], CONFIG.model_copy(update={"source": "npz"}))
    assert "the npz file cannot be read" in caught.value.where


def test_no_input_is_written_over_by_whatever_name(folder):
    image, link, hard = folder / "b/2.png", folder / "link.csv", folder / "hard.csv"
    link.symlink_to("b/2.png")
    hard.hardlink_to(image)
    for names in ([folder], [image], [folder / "b", folder / "notes.txt"]):
        found = find_inputs(names, CONFIG)
        for taken in (image, link, hard, folder / "a/../b/2.png"):
            with pytest.raises(UsageError, match="would be written over"):
                require_no_input(taken, names, found)
        require_no_input(folder / "new.csv", names, found)
        require_no_input(folder / ".hidden.png", names, found)
