from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from cxr.config.data_section import DataConfig
from cxr.data.checks import decoders
from cxr.data.checks.kinds import KINDS
from cxr.data.checks.locking import lock_target
from cxr.data.checks.verify import verify_target
from cxr.environment.canaries import read_canaries
from cxr.errors import ConfigError, DataError, RecordError, UsageError
from cxr.records.data_lock import write_data_lock
from support.data_sets import scan

NAMES = (
    "train/A/person1_1.png",
    "train/A/person1_2.png",
    "train/B/person2_1.png",
    "val/A/person3_1.png",
    "val/B/person4_1.png",
    "test/A/person5_1.png",
    "test/B/person6_1.png",
)


BROKEN = ("damaged", "not-an-image", "truncated")


def draw(number):
    stream = io.BytesIO()
    # Noise: no two of them look alike.
    pixels = np.random.default_rng(number).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(NAMES):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(number))
    return tmp_path / "images"


@pytest.fixture
def lock(root, tmp_path):
    """A lock of the images as they were."""
    config = DataConfig(source="folder", root=str(root), classes=("A", "B"))
    path = tmp_path / "data.lock.json"
    write_data_lock(path, scan(config))
    return path


@pytest.fixture
def config(root, tmp_path):
    """A config of these images, written anew with the fields that are given."""

    def write(**fields):
        tree = {
            "seed": 0,
            "threads": 1,
            "data": {"source": "folder", "root": str(root), "classes": ["A", "B"], **fields},
            "model": {"name": "test_resnet"},
            "train": {"epochs": 1, "batch_size": 1},
        }
        path = tmp_path / "c.yaml"
        path.write_text(json.dumps(tree), encoding="utf-8")
        return path

    return write


def describe(report):
    return [(problem.kind, problem.severity, problem.paths) for problem in report.problems]


def test_a_sound_set_is_verified(root, lock, config):
    size = sum((root / name).stat().st_size for name in NAMES)
    for report in (
        verify_target(root),
        verify_target(root, lock=lock),
        verify_target(config(), lock=lock),
    ):
        assert report.verdict == "verified"
        assert (report.samples, report.bytes) == (7, size)
        assert report.problems == ()


def test_colours_are_named_where_they_become_greys(root, config):
    grey = np.asarray(Image.open(root / NAMES[0]))
    marked = np.stack([grey] * 3, axis=2)
    Image.fromarray(marked).save(root / NAMES[1])
    marked[3:6, 3:6] = (255, 0, 0)
    Image.fromarray(marked).save(root / NAMES[0])
    found = [problem for problem in describe(verify_target(config())) if problem[0] == "colour"]
    assert found == [("colour", "warning", (NAMES[0],))]
    accepted = verify_target(config(accept=["colour"])).problems
    assert [one.severity for one in accepted if one.kind == "colour"] == ["note"]
    for colourful in (config(channels=3), root):
        assert "colour" not in {one.kind for one in verify_target(colourful).problems}


def test_patients_of_a_run_that_are_others_now_are_named(lock, config):
    report = verify_target(config(group_pattern=r"person\d+"), lock=lock)
    assert report.verdict == "differs"
    assert {problem.kind for problem in report.problems} == {"group-changed"}
    assert len(report.problems) == 7


def test_the_answer_is_plain_json(root):
    (root / NAMES[0]).write_bytes(b"")
    answer = json.loads(json.dumps(verify_target(root).to_json()))
    assert answer["verdict"] == "differs"
    assert answer["samples"] == 7
    assert answer["problems"] == [
        {
            "kind": "empty",
            "severity": "error",
            "paths": [NAMES[0]],
            "detail": "the file has no bytes",
        }
    ]


@pytest.mark.parametrize(
    ("content", "kinds"),
    [(b"", ["empty"]), (b"no image", BROKEN), (draw(0)[:50], BROKEN)],
    ids=["empty", "no image", "cut"],
)
def test_every_image_is_decoded(root, content, kinds):
    (root / NAMES[3]).write_bytes(content)
    report = verify_target(root)
    assert report.verdict == "differs"
    [problem] = report.problems
    assert problem.kind in kinds
    assert (problem.severity, problem.paths) == ("error", (NAMES[3],))


def test_a_file_that_cannot_be_read_is_named(root):
    (root / NAMES[3]).unlink()
    (root / NAMES[3]).symlink_to(root / "nothing")
    report = verify_target(root)
    assert describe(report) == [("unreadable", "error", (NAMES[3],))]
    assert report.problems[0].detail == "cannot read an image: No such file or directory"


def test_what_is_no_file_is_named_and_not_waited_for(root):
    (root / NAMES[0]).unlink()
    os.mkfifo(root / NAMES[0])
    (root / "val/A/study.png").mkdir()
    report = verify_target(root)
    assert [(problem.kind, problem.paths, problem.detail) for problem in report.problems] == [
        ("unreadable", (NAMES[0],), "cannot read an image: it is a named pipe"),
        ("unreadable", ("val/A/study.png",), "cannot read an image: it is a directory"),
    ]


def grey():
    return Image.fromarray(np.arange(1600).reshape(40, 40).astype(np.uint8))


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    ("name", "image", "options"),
    [
        ("progressive.jpeg", grey(), {"progressive": True}),
        ("colour.jpeg", grey().convert("RGB"), {}),
        ("two-levels.tiff", grey().convert("1"), {}),
    ],
)
def test_pictures_that_can_be_read_in_one_way_are_sound(root, name, image, options):
    image.save(root / "train/A" / name, **options)
    report = verify_target(root)
    assert (report.verdict, report.samples, report.problems) == ("verified", 8, ())


def test_a_picture_that_is_stored_turned_is_a_note(root):
    grey().save(root / "train/A/turned.jpeg", exif=turned())
    report = verify_target(root)
    assert describe(report) == [("exif-rotated", "note", ("train/A/turned.jpeg",))]
    assert report.verdict == "verified"


def test_a_declared_window_answers_what_needs_one(root, config):
    grey().convert("I;16").save(root / "train/A/deep.png")
    windows = ({"kind": "none"}, {"kind": "percentile", "low": 0.0, "high": 100.0})
    found = [[one.kind for one in verify_target(config(window=w)).problems] for w in windows]
    assert found == [["16-bit"], []]


def test_a_file_that_is_there_twice_through_a_link_is_a_duplicate(root):
    (root / "train/A/twice.png").symlink_to("person1_1.png")
    paths = ("train/A/person1_1.png", "train/A/twice.png")
    assert describe(verify_target(root)) == [("duplicate-in-split", "warning", paths)]


def test_a_directory_that_is_linked_into_two_splits_is_a_leak(root, config, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "person7_1.png").write_bytes(draw(40))
    for split in ("train", "test"):
        (root / split / "A/linked").symlink_to(elsewhere, target_is_directory=True)
    paths = ("test/A/linked/person7_1.png", "train/A/linked/person7_1.png")
    for target in (root, config()):
        assert ("duplicate-across-splits", "error", paths) in describe(verify_target(target))


def test_what_lies_beside_the_splits_is_no_part_of_the_set_and_named(root, lock):
    # As in the Kaggle archive, which holds itself once more.
    shutil.copytree(root, root / "again")
    shutil.copy(root / NAMES[0], root / "loose.png")
    (root / "notes").mkdir()
    (root / "notes" / "a.txt").write_text("x")
    report = verify_target(root, lock=lock)
    assert (report.verdict, report.samples) == ("verified", 7)
    places = ("again", "loose.png")
    assert describe(report) == [("beside-splits", "warning", (place,)) for place in places]


def test_a_root_that_is_a_link_is_verified(root, lock, tmp_path):
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    assert verify_target(tmp_path / "link", lock=lock) == verify_target(root, lock=lock)


@pytest.mark.parametrize(
    "names",
    [("train/A/a.PNG", "train/A/a.png"), ("train/A/caf\u00e9.png", "train/A/cafe\u0301.png")],
    ids=["case", "Unicode form"],
)
def test_names_that_another_file_system_takes_for_one_are_a_warning(root, names):
    for number, name in enumerate(names):
        (root / name).write_bytes(draw(50 + number))
    report = verify_target(root)
    assert describe(report) == [("names-alike", "warning", tuple(sorted(names)))]
    assert (report.verdict, report.samples) == ("verified", 9)


def test_a_name_that_a_file_system_spelt_anew_is_explained(root, tmp_path):
    (root / "train/A/caf\u00e9.png").write_bytes(draw(50))
    lock = tmp_path / "lock.json"
    fields = DataConfig(source="folder", root=str(root), classes=("A", "B"))
    write_data_lock(lock, scan(fields))
    (root / "train/A/caf\u00e9.png").rename(root / "train/A/cafe\u0301.png")
    assert [one.kind for one in verify_target(root, lock=lock).problems] == ["renamed"]
    # With other bytes it is another file, but it is told what became of it.
    (root / "train/A/cafe\u0301.png").write_bytes(draw(51))
    report = verify_target(root, lock=lock)
    assert [problem.kind for problem in report.problems] == ["missing", "extra"]
    assert all("another case or Unicode form" in problem.detail for problem in report.problems)


def test_an_unreadable_file_is_not_also_called_changed(root, lock):
    (root / NAMES[0]).unlink()
    (root / NAMES[0]).mkdir()
    assert describe(verify_target(root, lock=lock)) == [("unreadable", "error", (NAMES[0],))]


def test_a_set_without_images_differs(tmp_path):
    (tmp_path / "empty").mkdir()
    report = verify_target(tmp_path / "empty")
    assert report.verdict == "differs"
    assert describe(report) == [("no-images", "error", (str(tmp_path / "empty"),))]


def copy(root, source, *names):
    for name in names:
        (root / name).write_bytes((root / source).read_bytes())
    return tuple(sorted((source, *names)))


@pytest.mark.parametrize("through_config", [True, False])
def test_the_same_bytes_in_two_splits_are_an_error(root, config, through_config):
    paths = copy(root, "train/A/person1_1.png", "test/A/copy1.png", "val/A/copy2.png")
    report = verify_target(config() if through_config else root)
    assert describe(report) == [("duplicate-across-splits", "error", paths)]
    assert report.verdict == "differs"


def test_the_same_bytes_twice_in_a_split_are_a_warning(root):
    paths = copy(root, "train/A/person1_1.png", "train/A/copy.png")
    report = verify_target(root)
    assert describe(report) == [("duplicate-in-split", "warning", paths)]
    assert report.verdict == "verified"


def test_the_same_bytes_with_two_labels_are_an_error(root):
    paths = copy(root, "train/A/person1_1.png", "train/B/copy.png")
    report = verify_target(root)
    assert describe(report) == [("duplicate-labels-differ", "error", paths)]


def test_the_same_bytes_with_two_labels_in_two_splits_are_both(root):
    paths = copy(root, "train/A/person1_1.png", "test/B/copy.png")
    assert describe(verify_target(root)) == [
        ("duplicate-across-splits", "error", paths),
        ("duplicate-labels-differ", "error", paths),
    ]


def test_empty_files_are_no_duplicates(root):
    for name in NAMES[:2]:
        (root / name).write_bytes(b"")
    assert describe(verify_target(root)) == [("empty", "error", (name,)) for name in NAMES[:2]]


def test_a_patient_in_two_splits_is_named(root, config):
    (root / "test/A/person1_9.png").write_bytes(draw(20))
    report = verify_target(config(group_pattern=r"person\d+"))
    assert describe(report) == [
        (
            "group-in-two-splits",
            "error",
            ("test/A/person1_9.png", "train/A/person1_1.png", "train/A/person1_2.png"),
        )
    ]
    assert report.problems[0].detail == "group person1 is in test and train"
    assert verify_target(config()).verdict == "verified"


def test_a_changed_a_missing_and_an_extra_file_are_named(root, lock):
    (root / NAMES[0]).write_bytes(draw(30))
    (root / NAMES[1]).unlink()
    (root / "train/A/new.png").write_bytes(draw(31))
    report = verify_target(root, lock=lock)
    assert report.verdict == "differs"
    assert describe(report) == [
        ("missing", "error", (NAMES[1],)),
        ("extra", "error", ("train/A/new.png",)),
        ("changed", "error", (NAMES[0],)),
    ]


def test_a_label_other_than_the_locks_is_named(config, root, lock):
    report = verify_target(config(class_globs={"A": "B/*", "B": "A/*"}), lock=lock)
    assert report.verdict == "differs"
    assert describe(report) == [("label-changed", "error", (name,)) for name in sorted(NAMES)]
    assert report.problems[0].detail == "A in the lock, B now"
    assert verify_target(root, lock=lock).verdict == "verified"


def test_a_split_other_than_the_locks_is_named(config, lock):
    report = verify_target(config(validation_fraction=0.5, split_seed=1), lock=lock)
    assert report.verdict == "differs"
    assert {problem.kind for problem in report.problems} == {"split-changed"}
    assert {problem.detail for problem in report.problems} <= {
        "train in the lock, val now",
        "val in the lock, train now",
    }


def test_a_warning_differs_where_that_is_asked_for(root):
    copy(root, "train/A/person1_1.png", "train/A/copy.png")
    assert verify_target(root).verdict == "verified"
    assert verify_target(root, strict=True).verdict == "differs"
    (root / "train/A/copy.png").unlink()
    assert verify_target(root, strict=True).verdict == "verified"


def test_an_accepted_error_is_a_note(root, config):
    paths = copy(root, "train/A/person1_1.png", "test/A/copy1.png")
    report = verify_target(config(accept=["duplicate-across-splits"]), strict=True)
    assert report.verdict == "verified"
    assert describe(report) == [("duplicate-across-splits", "note", paths)]
    assert report.problems[0].detail == "accepted: the same bytes in test and train"


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("leak", "there is no kind of problem called leak"),
        ("changed", "a problem of the kind changed cannot be accepted"),
    ],
)
def test_what_cannot_be_accepted_is_refused(config, kind, problem):
    with pytest.raises(ConfigError, match=problem):
        verify_target(config(accept=[kind]))


def test_counts_are_those_of_classes_in_splits(root, config):
    for target in (root, config()):
        assert verify_target(target).counts == {
            "test": {"A": 1, "B": 1},
            "train": {"A": 2, "B": 1},
            "val": {"A": 1, "B": 1},
        }


def test_kinds_are_summed_up_in_the_order_of_the_problems(root):
    copy(root, "train/A/person1_1.png", "train/A/copy.png", "train/A/copy2.png")
    for name in NAMES[3:5]:
        (root / name).write_bytes(b"")
    kinds = verify_target(root).to_json()["kinds"]
    assert kinds == [
        {
            "kind": kind,
            "severity": KINDS[kind].severity,
            "groups": groups,
            "files": files,
            "meaning": KINDS[kind].meaning,
        }
        for kind, groups, files in [("empty", 2, 2), ("duplicate-in-split", 1, 3)]
    ]


def test_a_decoder_with_other_pixels_is_named(root, monkeypatch, tmp_path):
    lock_target(root, out=tmp_path / "set.lock.json")
    found = read_canaries()
    monkeypatch.setattr(decoders, "read_canaries", lambda: found | {"jpeg_grey": "sha256:0"})
    report = verify_target(root, lock=tmp_path / "set.lock.json")
    assert [problem.detail for problem in report.problems] == [
        "decoder canary jpeg_grey: not as cxr knows",
        "decoder canary jpeg_grey: not as when the set was locked",
    ]
    assert {problem.kind for problem in report.problems} == {"decoder-differs"}
    assert report.verdict == "verified"


def test_errors_come_before_warnings(root):
    copy(root, "train/A/person1_1.png", "train/A/copy.png")
    (root / NAMES[4]).write_bytes(b"")
    assert [problem.severity for problem in verify_target(root).problems] == ["error", "warning"]


@pytest.mark.parametrize(
    ("name", "error", "problem"),
    [
        ("nothing", DataError, "no such data set"),
        ("file.txt", DataError, "not a directory and not a config"),
    ],
)
def test_a_target_that_is_none_is_refused(tmp_path, name, error, problem):
    (tmp_path / "file.txt").write_text("x", encoding="utf-8")
    with pytest.raises(error, match=problem):
        verify_target(tmp_path / name)


def test_a_config_without_files_is_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "seed: 0\nthreads: 1\ndata: {source: synthetic, image_size: 28}\n"
        "model: {name: mlp}\ntrain: {epochs: 1, batch_size: 1}\n",
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match="the config's data is synthetic"):
        verify_target(path)


def test_a_lock_that_is_none_is_refused(root, tmp_path):
    with pytest.raises(RecordError, match="there is no such lock") as caught:
        verify_target(root, lock=tmp_path / "nothing.json")
    assert "cxr data lock TARGET writes" in caught.value.hint


def test_progress_ends_at_all_images(root):
    heard = []

    class Listener:
        def advance(self, what, done, total):
            heard.append((what, done, total))

        def note(self, text):
            raise AssertionError(text)

    verify_target(root, progress=Listener())
    assert heard == [("looking at images", done, 7) for done in range(1, 8)]


def test_problems_are_values(root):
    (root / NAMES[0]).write_bytes(b"")
    [problem] = verify_target(root).problems
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.kind = "other"
