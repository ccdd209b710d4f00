from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.config.data_section import DataConfig
from cxr.data.caches import file_stat, looked_with, looks
from cxr.data.caches.looks import look_at_images
from cxr.data.caches.store import FILE_NAME
from cxr.data.inspection.inspect_file import inspect_files
from cxr.data.inspection.inspectors import Inspectors
from cxr.data.inspection.look import Look
from cxr.data.sources.folder import FolderSource
from cxr.data.sources.source import FoundImage
from cxr.errors import Interrupted
from support.dicoms import draw_values, make_dicom, write_dicom


def draw(number):
    """Encode a picture of its own for each number, each of the same size in bytes."""
    stream = io.BytesIO()
    pixels = (np.arange(1600).reshape(40, 40) * (2 * number + 1)).astype(np.uint8)
    Image.fromarray(pixels).save(stream, "BMP")
    return stream.getvalue()


class Counting(FolderSource):
    """A folder that counts what is read and what is inspected."""

    def __init__(self, root):
        super().__init__(DataConfig(source="folder", root=str(root)))
        self.done = []

    def read(self, image):
        self.done.append(("read", image.path))
        return super().read(image)

    def inspect(self, samples, by=None):
        self.done += [("inspected", image.path) for image, _ in samples]
        return super().inspect(samples, by or inspect_files)

    def take(self):
        done, self.done = sorted(self.done), []
        return done


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Everything was written just now, and would not be trusted.
    monkeypatch.setattr(file_stat, "SETTLED_NS", -(10**12))
    (tmp_path / "images").mkdir()
    for number in range(4):
        (tmp_path / "images" / f"{number}.bmp").write_bytes(draw(number))
    return tmp_path / "images"


@pytest.fixture
def source(root):
    return Counting(root)


def find(root):
    return [FoundImage(file, file.name, "a", file.name, "train") for file in sorted(root.iterdir())]


def every(*verbs, names=("0.bmp", "1.bmp", "2.bmp", "3.bmp")):
    return sorted((verb, name) for verb in verbs for name in names)


def test_inspectors_are_told_how_many_are_new_unless_some_are_known(root, source, monkeypatch):
    told = []
    monkeypatch.setattr(Inspectors, "expect", lambda _, number: told.append(number))
    look_at_images(source, find(root))
    assert told == [4]
    (root / "4.bmp").write_bytes(draw(4))
    look_at_images(source, find(root), trust_stat=True)
    look_at_images(source, find(root))
    # Of five files one was new, whose bytes alone were asked for; then none was.
    assert told == [4, 1]


def test_images_that_fill_the_memory_are_inspected_once_each(root, source, monkeypatch):
    looked_at = look_at_images(source, find(root), full=True)
    assert source.take() == every("read", "inspected")
    monkeypatch.setattr(looks, "_WAITING_BYTES", 2_000)
    assert look_at_images(source, find(root), full=True) == looked_at
    assert source.take() == every("read", "inspected")


def test_what_is_known_is_what_was_seen(root, source):
    (root / "4.bmp").write_bytes(b"")
    first = look_at_images(source, find(root), trust_stat=True)
    assert source.take() == every("read", "inspected", names=[f"{i}.bmp" for i in range(5)])
    assert look_at_images(source, find(root), trust_stat=True) == first
    assert source.take() == []
    assert look_at_images(source, find(root), full=True) == first
    assert first[4].findings == (("empty", "the file has no bytes"),)


def test_without_trust_every_byte_is_read_and_none_is_inspected_twice(root, source):
    first = look_at_images(source, find(root))
    source.take()
    assert look_at_images(source, find(root)) == first
    assert source.take() == every("read")


def test_a_full_look_trusts_nothing(root, source):
    look_at_images(source, find(root), trust_stat=True)
    source.take()
    look_at_images(source, find(root), trust_stat=True, full=True)
    assert source.take() == every("read", "inspected")


def rewrite(file):
    file.write_bytes(draw(9))


def rewrite_and_set_the_clock_back(file):
    before = file.stat()
    file.write_bytes(draw(9))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_another_in_its_place(file):
    before = file.stat()
    other = file.with_name("other")
    other.write_bytes(draw(9))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize(
    "change", [rewrite, rewrite_and_set_the_clock_back, put_another_in_its_place]
)
def test_a_changed_file_of_the_same_size_is_seen(root, source, change):
    first = look_at_images(source, find(root), trust_stat=True)
    source.take()
    change(root / "2.bmp")
    again = look_at_images(source, find(root), trust_stat=True)
    assert source.take() == every("read", "inspected", names=["2.bmp"])
    assert again[2].pixels != first[2].pixels
    assert again[:2] + again[3:] == first[:2] + first[3:]


def test_a_file_that_changed_only_now_is_not_trusted(root, source, monkeypatch):
    monkeypatch.setattr(file_stat, "SETTLED_NS", 2 * 10**9)
    look_at_images(source, find(root), trust_stat=True)
    source.take()
    look_at_images(source, find(root), trust_stat=True)
    assert source.take() == every("read")


def test_a_moved_file_is_read_but_not_inspected(root, source):
    look_at_images(source, find(root), trust_stat=True)
    source.take()
    (root / "2.bmp").rename(root / "7.bmp")
    look_at_images(source, find(root), trust_stat=True)
    assert source.take() == every("read", names=["7.bmp"])


def test_the_same_bytes_under_another_suffix_are_inspected_again(root, source):
    look_at_images(source, find(root), trust_stat=True)
    source.take()
    (root / "2.bmp").rename(root / "2.png")
    look_at_images(source, find(root), trust_stat=True)
    assert source.take() == every("read", "inspected", names=["2.png"])


def test_what_another_decoder_saw_is_not_taken_for_seen(root, source, monkeypatch):
    look_at_images(source, find(root), trust_stat=True)
    source.take()
    looked_with.digest_inspection.cache_clear()
    monkeypatch.setattr(looked_with, "read_canaries", lambda: {"jpeg_grey": "other"})
    look_at_images(source, find(root), trust_stat=True)
    assert source.take() == every("read", "inspected")
    looked_with.digest_inspection.cache_clear()


def test_what_other_code_saw_is_not_taken_for_seen(root, source, monkeypatch):
    look_at_images(source, find(root), trust_stat=True)
    source.take()
    looked_with.digest_inspection.cache_clear()
    monkeypatch.setattr(looked_with, "digest_tree", lambda *_: "sha256:other")
    look_at_images(source, find(root), trust_stat=True)
    assert source.take() == every("read", "inspected")
    looked_with.digest_inspection.cache_clear()


def test_an_interrupted_look_is_gone_on_with(root, source):
    class Impatient:
        def advance(self, what, done, _total):
            if done == 2:
                raise Interrupted(what, where="", hint="")

        def note(self, text):
            raise AssertionError(text)

    with pytest.raises(Interrupted):
        look_at_images(source, find(root), trust_stat=True, progress=Impatient())
    source.take()
    look_at_images(source, find(root), trust_stat=True)
    assert source.take() == every("read", "inspected", names=["2.bmp", "3.bmp"])


def test_a_damaged_store_costs_another_look_and_nothing_else(root, source, tmp_path):
    first = look_at_images(source, find(root), trust_stat=True)
    source.take()
    (tmp_path / "cache" / "cxr" / "looks" / FILE_NAME).write_bytes(b"damaged" * 1000)
    assert look_at_images(source, find(root), trust_stat=True) == first
    assert source.take() == every("read", "inspected")


def test_without_a_place_everything_is_looked_at(root, source, monkeypatch):
    monkeypatch.setattr(looks.Store, "open", lambda: None)
    first = look_at_images(source, find(root), trust_stat=True)
    assert look_at_images(source, find(root), trust_stat=True) == first
    assert source.take() == sorted(every("read", "inspected") * 2)


def test_what_cannot_be_read_is_never_remembered(root, source):
    found = find(root)
    (root / "1.bmp").unlink()
    look = look_at_images(source, found, trust_stat=True)[1]
    assert look.findings == (("unreadable", "cannot read an image: No such file or directory"),)
    (root / "1.bmp").write_bytes(draw(1))
    assert look_at_images(source, found, trust_stat=True)[1].findings == ()


def test_that_nothing_decodes_a_file_here_is_never_remembered(root, source, monkeypatch):
    (root / "4.dcm").write_bytes(write_dicom(make_dicom(draw_values(low=0, high=255), bits=8)))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pydicom", None)
        look = look_at_images(source, find(root), trust_stat=True)[4]
        assert [kind for kind, _ in look.findings] == ["no-decoder"]
    assert look_at_images(source, find(root), trust_stat=True)[4].findings == ()


class Rows(Counting):
    """Two images in one file, as an npz holds them."""

    def read(self, image):
        content = super().read(image)
        half = len(content) // 2
        return content[:half] if image.path == "rows/0" else content[half:]

    def inspect(self, samples, by=None):
        assert by is not None
        self.done += [("inspected", image.path) for image, _ in samples]
        return [
            Look(num_bytes=len(content), sha256="sha256:x", pixels=content.hex())
            for _, content in samples
        ]


def test_images_that_share_a_file_are_never_known_by_it(root):
    source = Rows(root)
    file = Path(root, "0.bmp")
    found = [FoundImage(file, f"rows/{i}", "a", str(i), "train") for i in range(2)]
    first = look_at_images(source, found, trust_stat=True)
    assert first[0].pixels != first[1].pixels
    source.take()
    again = look_at_images(source, found, trust_stat=True)
    assert [look.pixels for look in again] == [look.pixels for look in first]
    assert source.take() == every("read", names=["rows/0", "rows/1"])


def test_nothing_that_is_kept_names_a_file(root, source, tmp_path):
    (root / "MEYER_ANNA_1950.bmp").write_bytes(draw(5))
    look_at_images(source, find(root), trust_stat=True)
    kept = b"".join(file.read_bytes() for file in (tmp_path / "cache").rglob("*") if file.is_file())
    assert len(kept) > 1000
    assert b"MEYER" not in kept
    assert os.fsencode(root.name) not in kept
