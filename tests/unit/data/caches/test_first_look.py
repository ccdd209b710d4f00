from __future__ import annotations

import pytest

from cxr.data.caches import first_look
from cxr.data.caches.first_look import prepare_inspectors
from cxr.data.caches.looks import look_at_images
from cxr.data.inspection.inspectors import Inspectors
from cxr.data.sources.directory import DirectorySource


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A directory of 30 files named as images, which counts as many."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(first_look, "_MANY", 30)
    monkeypatch.setattr(first_look, "_ASKED", 5)
    folder = tmp_path / "set" / "train" / "A"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"{number}.png").write_bytes(b"%d" % number)
    return tmp_path / "set"


@pytest.fixture
def numbers(monkeypatch):
    """How many processes were started ahead, each time."""
    asked = []
    monkeypatch.setattr(Inspectors, "start_ahead", lambda _, number: asked.append(number))
    return asked


def look(root):
    source = DirectorySource(root)
    return look_at_images(source, source.find())


def test_for_many_images_that_nobody_knows_processes_start(root, numbers, monkeypatch):
    monkeypatch.setattr(first_look, "count_workers", lambda: 7)
    prepare_inspectors(root)
    assert numbers == [7]


def test_for_a_few_images_or_no_directory_none_start(root, numbers):
    prepare_inspectors(root / "missing")
    prepare_inspectors(root / "train" / "A" / "0.png")
    (root / "train" / "A" / "0.png").rename(root / "train" / "A" / "0.txt")
    prepare_inspectors(root, full=True)
    assert numbers == []


def test_for_images_that_are_remembered_none_start_unless_all_is_looked_at(
    root, numbers, monkeypatch
):
    # Time stamps that are trusted only when settled: here they are.
    monkeypatch.setattr("cxr.data.caches.file_stat.SETTLED_NS", -(10**12))
    look(root)
    prepare_inspectors(root)
    assert numbers == []
    prepare_inspectors(root, full=True)
    assert len(numbers) == 1
