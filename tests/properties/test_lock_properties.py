"""A set that is as it was locked is verified; whatever was done to one file of it is found."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cxr.data.checks.locking import lock_target
from cxr.data.checks.verify import verify_target
from properties.strategies import examples
from support.noise import draw_noise, make_noise_set

splits = st.sampled_from(["train", "val", "test"])
names = st.builds("{}/{}/{}.png".format, splits, st.sampled_from("AB"), st.integers(0, 99))
sets = st.lists(names, min_size=1, max_size=6, unique=True)


@contextmanager
def locked(paths):
    """Draw a set of noise and lock it."""
    with tempfile.TemporaryDirectory() as directory:
        root = make_noise_set(Path(directory) / "set", paths)
        assert lock_target(root).outcome == "locked"
        report = verify_target(root)
        assert (report.verdict, report.problems) == ("verified", ())
        assert report.lock is not None
        yield root


def find(root):
    report = verify_target(root)
    assert report.verdict == "differs"
    return {(problem.kind, problem.paths) for problem in report.problems}


@given(sets, st.data())
@examples(max_examples=25)
def test_any_single_byte_that_changed_is_found(paths, data):
    path = data.draw(st.sampled_from(paths))
    with locked(paths) as root:
        content = bytearray((root / path).read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        (root / path).write_bytes(content)
        assert ("changed", (path,)) in find(root)


@given(sets, names, st.data())
@examples(max_examples=15)
def test_a_file_that_came_went_or_has_another_name_is_found(paths, new, data):
    path = data.draw(st.sampled_from(paths))
    with locked(paths) as root:
        content = (root / path).read_bytes()
        (root / path).unlink()
        assert find(root) == {("missing", (path,))} or len(paths) == 1
        (root / path).write_bytes(content)
        if new in paths:
            return
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / new).write_bytes(draw_noise(1000))
        assert find(root) == {("extra", (new,))}
        (root / path).rename(root / new)
        found = find(root)
        assert ("renamed", tuple(sorted([path, new]))) in found
        moved = {kind for kind, _ in found} - {"renamed"}
        assert moved == {
            kind
            for kind, place in (("split-changed", 0), ("label-changed", 1))
            if path.split("/")[place] != new.split("/")[place]
        }
