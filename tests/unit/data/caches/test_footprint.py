from __future__ import annotations

import os

import pytest

from cxr.data.caches import file_stat, footprint
from cxr.data.caches.footprint import capture_footprint


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(file_stat, "SETTLED_NS", -(10**12))
    root = tmp_path / "set"
    (root / "train" / "A").mkdir(parents=True)
    for name in ("1.png", "2.png", ".hidden"):
        (root / "train" / "A" / name).write_bytes(b"abc")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "3.png").write_bytes(b"abc")
    (root / "val").symlink_to(tmp_path / "elsewhere")
    return root


def change_bytes(root):
    before = (root / "train" / "A" / "1.png").stat()
    (root / "train" / "A" / "1.png").write_bytes(b"abd")
    os.utime(root / "train" / "A" / "1.png", ns=(before.st_atime_ns, before.st_mtime_ns))


def change_behind_a_link(root):
    (root / "val" / "3.png").write_bytes(b"abd")


def remove(root):
    (root / "train" / "A" / "1.png").unlink()


def add(root):
    (root / "train" / "A" / ".DS_Store").write_bytes(b"")


def rename(root):
    (root / "train" / "A" / "1.png").rename(root / "train" / "A" / "0.png")


def swap(root):
    folder = root / "train" / "A"
    (folder / "1.png").rename(folder / "x")
    (folder / "2.png").rename(folder / "1.png")
    (folder / "x").rename(folder / "2.png")


def add_a_directory(root):
    (root / "train" / "B").mkdir()


def lead_elsewhere(root):
    (root / "val").unlink()
    (root / "val").symlink_to(root / "nowhere")


def forbid(root):
    (root / "train" / "A" / "1.png").chmod(0)


CHANGES = (
    change_bytes,
    change_behind_a_link,
    remove,
    add,
    rename,
    swap,
    add_a_directory,
    lead_elsewhere,
    forbid,
)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_shows(root, change):
    before = capture_footprint([root])
    assert capture_footprint([root]) == before
    change(root)
    assert capture_footprint([root]).digest != before.digest


def test_a_file_that_comes_is_a_change(root):
    before = capture_footprint([root, root.with_name("set.lock.json")])
    root.with_name("set.lock.json").write_bytes(b"{}")
    assert capture_footprint([root, root.with_name("set.lock.json")]).digest != before.digest


def test_what_changed_only_now_is_not_settled(root, monkeypatch):
    assert capture_footprint([root]).is_settled
    monkeypatch.setattr(file_stat, "SETTLED_NS", 2 * 10**9)
    assert not capture_footprint([root]).is_settled
    (root / "train" / "A" / "1.png").touch()
    monkeypatch.setattr(file_stat, "SETTLED_NS", -(10**12))
    os.utime(root / "train" / "A" / "1.png", ns=(0, 2**62))
    assert not capture_footprint([root]).is_settled


def test_a_circle_of_links_ends(root):
    (root / "train" / "A" / "back").symlink_to(root)
    assert capture_footprint([root]).is_settled


def test_a_place_with_too_much_in_it_is_never_settled(root, monkeypatch):
    monkeypatch.setattr(footprint, "MAX_ENTRIES", 2)
    assert not capture_footprint([root]).is_settled


def test_a_link_that_leads_elsewhere_is_a_change_though_all_of_it_was_listed(root):
    for name in ("one", "two"):
        (root / "store" / name).mkdir(parents=True)
    for name in ("x", "y"):
        (root / name).symlink_to(root / "store" / "one", target_is_directory=True)
    before = capture_footprint([root]).digest
    (root / "y").unlink()
    (root / "y").symlink_to(root / "store" / "two", target_is_directory=True)
    assert capture_footprint([root]).digest != before
