"""Drawn radiographs: the same bytes from the same seed, and kinds that can be told apart."""

from __future__ import annotations

import csv
import errno
from pathlib import Path

import numpy as np
import pytest

from cxr.data.drawing.radiographs import KINDS, SynthPlan, draw_radiograph, write_dataset
from cxr.digests.canonical import digest_bytes
from cxr.errors import CxrError, StorageError, UsageError

SAMPLE = Path(__file__).parents[4] / "data" / "sample"
NOT_DRAWN = {"README.md"}
SMALL = SynthPlan(size_px=16, train=4, val=4, test=4)


def test_the_sample_is_drawn_again_byte_for_byte(tmp_path: Path) -> None:
    paths = write_dataset(tmp_path / "again", SynthPlan())
    again = {p.relative_to(tmp_path / "again"): p for p in (tmp_path / "again").rglob("*.*")}
    stored = {p.relative_to(SAMPLE): p for p in SAMPLE.rglob("*.*") if p.name not in NOT_DRAWN}
    assert again.keys() == stored.keys()
    for name, path in stored.items():
        assert path.read_bytes() == again[name].read_bytes(), name
    assert len(paths) == 80


def test_the_labels_name_every_image_and_no_patient_is_in_two_splits() -> None:
    rows = list(csv.DictReader((SAMPLE / "labels.csv").read_text(encoding="ascii").splitlines()))
    assert sorted(row["path"] for row in rows) == sorted(
        path.relative_to(SAMPLE).as_posix() for path in SAMPLE.rglob("*.jpeg")
    )
    splits: dict[str, set[str]] = {}
    for row in rows:
        assert row["path"].split("/")[:2] == [row["split"], row["label"]]
        splits.setdefault(row["patient"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert len(splits) < len(rows), "some patients must have two images"


def test_the_drawn_bits_are_these() -> None:
    pixels = draw_radiograph(7, "train", "virus", 3, 64)
    golden = "sha256:54631113c8dc06a80e48aac594453816e3289eb644dbddf000aeedc581068b47"
    assert digest_bytes(pixels.tobytes()) == golden


@pytest.mark.parametrize("size_px", [32, 96, 224])
def test_a_picture_has_the_size_asked_for(size_px: int) -> None:
    pixels = draw_radiograph(1, "test", "normal", 1, size_px)
    assert pixels.shape == (size_px, size_px)
    assert pixels.dtype == np.uint8
    assert pixels.max() - pixels.min() > 100


def test_seed_split_kind_and_number_each_change_the_picture() -> None:
    base = (7, "train", "bacteria", 1, 48)
    others = [
        (8, "train", "bacteria", 1, 48),
        (7, "val", "bacteria", 1, 48),
        (7, "train", "virus", 1, 48),
        (7, "train", "bacteria", 3, 48),
    ]
    first = draw_radiograph(*base)
    assert np.array_equal(first, draw_radiograph(*base))
    for other in others:
        assert not np.array_equal(first, draw_radiograph(*other))


def test_sick_lungs_are_brighter_than_healthy_ones_on_the_whole() -> None:
    means = {}
    for kind in KINDS:
        lungs = [
            draw_radiograph(11, "train", kind, number, 64)[18:40, 10:54].mean()
            for number in range(1, 25)
        ]
        means[kind] = float(np.mean(lungs))
    assert means["bacteria"] > means["normal"]
    assert means["virus"] > means["normal"]


def test_a_directory_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="ascii")
    with pytest.raises(UsageError, match="new or empty"):
        write_dataset(tmp_path, SynthPlan())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["new", "empty", "link", "above/new"])
def test_a_set_is_drawn_into_a_new_and_into_an_empty_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty", target_is_directory=True)
    place = (tmp_path / "empty").stat().st_ino
    write_dataset(tmp_path / name, SMALL)
    found = sorted(path.name for path in (tmp_path / name).iterdir())
    assert found == ["labels.csv", "test", "train", "val"]
    # A directory that was there is the same one still: somebody may stand in it.
    assert (tmp_path / "empty").stat().st_ino == place
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(".")] == []
    assert (tmp_path / name).stat().st_mode == (tmp_path / name / "train").stat().st_mode


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(errno.ENOSPC, "disk full")])
@pytest.mark.parametrize("exists", [False, True])
def test_a_set_that_was_stopped_half_way_leaves_nothing(
    tmp_path: Path, *, stop: type[BaseException] | BaseException, exists: bool
) -> None:
    def report(done: int, _: int) -> None:
        if done == 5:
            raise stop

    if exists:
        (tmp_path / "set").mkdir()
    with pytest.raises((KeyboardInterrupt, StorageError)):
        write_dataset(tmp_path / "set", SMALL, report=report)
    assert list(tmp_path.rglob("*")) == ([tmp_path / "set"] if exists else [])


def test_a_place_that_cannot_be_written_is_told_without_an_option_that_nobody_has(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write") as caught:
        write_dataset(tmp_path / "file" / "set", SMALL)
    assert caught.value.hint == "check the path and its permissions"


@pytest.mark.parametrize("wrong", [{"train": 3}, {"seed": -1}, {"size_px": 8}])
def test_a_plan_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(CxrError):
        SynthPlan(**wrong)


def test_an_odd_number_of_images_is_divided_as_documented() -> None:
    plan = SynthPlan(train=7, val=4, test=0)
    assert [plan.num_of("train", kind) for kind in KINDS] == [3, 2, 2]
    assert [plan.num_of("val", kind) for kind in KINDS] == [2, 1, 1]
