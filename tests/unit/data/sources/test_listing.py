from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxr.data.sources.listing import list_images, name_below


@pytest.mark.parametrize("root", [".", "/", "a", "a/b", "..", "/a b/c"])
def test_the_name_below_a_root_is_the_relative_path(root):
    file = Path(root) / "c d" / "e.png"
    assert name_below(Path(root), file) == file.relative_to(root).as_posix() == "c d/e.png"


def test_images_stand_in_the_order_of_their_paths_part_by_part(tmp_path):
    # As text, "a-b/" and "a.b/" would stand before "a/".
    names = ["a/z.png", "a-b/y.png", "a.b/x.png", "a/b/w.png", "B/v.png", "é/u.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = list_images(tmp_path)
    assert found == sorted(tmp_path / name for name in names)
    assert found.index(tmp_path / "a/z.png") < found.index(tmp_path / "a-b/y.png")


def test_the_working_directory_can_be_listed(tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    monkeypatch.chdir(tmp_path)
    assert [name_below(Path(os.curdir), file) for file in list_images(Path(os.curdir))] == ["a.png"]
