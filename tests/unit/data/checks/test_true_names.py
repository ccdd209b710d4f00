from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cxr.data.checks.true_names import find_name_problems
from cxr.data.inspection.look import Look
from cxr.data.sources.pseudonyms import PseudonymousSource
from cxr.data.sources.source import FoundImage

KEY = bytes(range(40))


class Folder:
    """A source that has been listed; nothing else of it is asked for."""

    root = Path("set")
    classes = ("A", "B")

    def __init__(self, *images):
        self.images = [
            FoundImage(Path("set", path), path, "A", group, split) for path, group, split in images
        ]

    def find(self):
        return self.images


def find_problems(source):
    pairs = [(image, Look(num_bytes=1, sha256="sha256:0")) for image in source.find()]
    return list(find_name_problems(source, pairs))


ALIKE = Folder(
    ("train/miller-7.png", "miller 7", "train"),
    ("test/Miller-07.png", "Miller 07", "test"),
    ("train/smith.png", "smith", "train"),
    ("train/SMITH.png", "smith", "train"),
)


def test_true_names_are_checked_behind_pseudonyms():
    plain = find_problems(ALIKE)
    assert {problem.kind for problem in plain} == {"names-alike", "group-ambiguous"}
    source = PseudonymousSource(ALIKE, KEY)
    named = find_problems(source)
    called = {source.find_real(image).path: image.path for image in source.find()}
    assert sorted((problem.kind, problem.severity, problem.paths) for problem in named) == sorted(
        (problem.kind, problem.severity, tuple(sorted(called[path] for path in problem.paths)))
        for problem in plain
    )
    # The plain details do quote names, or this would show nothing.
    assert "miller" in repr(plain).lower()
    assert "smith" in repr(plain).lower()
    assert not any(name in repr(named).lower() for name in ("miller", "smith", "train/", "test/"))


@pytest.mark.parametrize("key", [None, KEY])
def test_names_with_nothing_against_them_are_no_problem(key):
    images = [replace(image, group=image.path) for image in ALIKE.find()[:3]]
    source = Folder(*((image.path, image.group, image.split) for image in images))
    assert not find_problems(source if key is None else PseudonymousSource(source, key))
