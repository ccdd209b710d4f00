from __future__ import annotations

import hashlib

import pytest

from cxr.digests.canonical import digest_json
from cxr.digests.files import digest_file, digest_tree


@pytest.fixture
def tree(tmp_path):
    """A directory with three files."""
    root = tmp_path / "tree"
    (root / "inner").mkdir(parents=True)
    for name, content in (("a.txt", b"a"), ("b.txt", b"b"), ("inner/a.txt", b"c")):
        (root / name).write_bytes(content)
    return root


def digest_all(root):
    return digest_tree(root, (path for path in root.rglob("*") if path.is_file()))


def test_a_file_larger_than_a_block_has_the_digest_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert digest_file(tmp_path / "file") == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        digest_file(tmp_path / "nothing")


def test_a_tree_is_path_size_and_digest_sorted(tree):
    rows = [
        ["a.txt", 1, digest_file(tree / "a.txt")],
        ["b.txt", 1, digest_file(tree / "b.txt")],
        ["inner/a.txt", 1, digest_file(tree / "inner/a.txt")],
    ]
    assert digest_all(tree) == digest_json(rows)


def test_a_tree_does_not_depend_on_the_order_of_listing_or_on_its_place(tree):
    paths = [path for path in tree.rglob("*") if path.is_file()]
    before = digest_tree(tree, paths)
    assert digest_tree(tree, reversed(paths)) == before
    moved = tree.rename(tree.with_name("moved"))
    assert digest_all(moved) == before


def test_any_change_of_a_tree_changes_its_digest(tree):
    digests = [digest_all(tree)]
    (tree / "a.txt").write_bytes(b"x")
    digests.append(digest_all(tree))
    (tree / "a.txt").rename(tree / "c.txt")
    digests.append(digest_all(tree))
    (tree / "d.txt").write_bytes(b"")
    digests.append(digest_all(tree))
    (tree / "b.txt").unlink()
    digests.append(digest_all(tree))
    assert len(set(digests)) == len(digests)
