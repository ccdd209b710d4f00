from __future__ import annotations

import pytest

from cxr.config.data_section import DataConfig
from cxr.data.decoding import image_file
from cxr.data.sources import scan
from cxr.data.sources.folder import FolderSource
from cxr.data.sources.scan import derive_data_lock, find_own_files, hash_images, hash_samples
from cxr.data.sources.source import FoundImage
from cxr.digests.canonical import digest_bytes
from cxr.errors import DataError


@pytest.fixture
def source(tmp_path, monkeypatch):
    # Smaller than a file, and no divisor of its size.
    monkeypatch.setattr(scan, "BLOCK_BYTES", 7)
    for number in range(40):
        (tmp_path / f"{number:02}.png").write_bytes(bytes([number]) * (5 * number))
    return FolderSource(DataConfig(source="folder", root=str(tmp_path), classes=("a", "b")))


def find(source):
    files = sorted(source.root.iterdir())
    return [FoundImage(file, file.name, "a", "g", "train") for file in files]


def test_a_file_is_hashed_in_blocks_to_the_digest_of_its_bytes(source):
    looks = hash_images(source, find(source))
    contents = [file.read_bytes() for file in sorted(source.root.iterdir())]
    assert [look.sha256 for look in looks] == [digest_bytes(content) for content in contents]
    assert [look.num_bytes for look in looks] == [len(content) for content in contents]


def test_a_lock_from_looks_is_that_of_hashing(source):
    found = find(source)
    lock = hash_samples(source, found)
    assert derive_data_lock(source.classes, found, hash_images(source, found)) == lock
    assert lock.classes == ("a", "b")
    assert lock.samples[3].bytes == 15


def test_what_cannot_be_read_is_a_finding_or_an_error_as_asked(source):
    found = find(source)
    (source.root / "05.png").unlink()
    (source.root / "05.png").mkdir()
    look = hash_images(source, found)[5]
    assert look.findings == (("unreadable", "cannot read an image: it is a directory"),)
    with pytest.raises(DataError, match="it is a directory") as caught:
        hash_samples(source, found)
    assert caught.value.where == str(source.root / "05.png")


def test_images_that_share_a_file_have_none_of_their_own(source, monkeypatch):
    one, two, other = find(source)[:3]
    rows = FoundImage(source.root / "set.npz", "0", "a", "g", "train")
    assert find_own_files([one, one, two, rows]) == [False, False, True, False]
    monkeypatch.setattr(scan, "digest_image_file", lambda *_: pytest.fail("not its own"))
    looks = hash_images(source, [other, other])
    assert looks[0].sha256 == digest_bytes(image_file.read_image(other.file))
