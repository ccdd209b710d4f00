"""A table or an npz file by itself: what it holds is looked at, and what is not known is said."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.data.checks.locking import lock_target
from cxr.data.checks.verify import verify_target
from cxr.errors import DataError
from cxr.records.set_lock import load_lock
from support.noise import make_noise_set, write_set_config

NAMES = ("a/1.png", "a/2.png", "b/3.png")


@pytest.fixture
def table(tmp_path):
    """A table of three images, with labels, patients and splits that nobody explains."""

    def write(column):
        make_noise_set(tmp_path, NAMES)
        rows = [f"{name},A,p{n},train" for n, name in enumerate(NAMES)]
        file = tmp_path / "table.csv"
        file.write_text("\n".join([f"{column},label,patient,split", *rows]), encoding="utf-8")
        return file

    return write


@pytest.mark.parametrize("column", ["path", "Path", "PATH "])
def test_of_a_table_the_files_alone_are_looked_at(table, column):
    file = table(column)
    report = verify_target(file)
    assert (report.verdict, report.counts) == ("verified", {"": {"": 3}})
    said = "only the files were checked: name a config for labels, patients and splits"
    assert report.notes == (said,)
    locking = lock_target(file)
    lock = load_lock(locking.path)
    assert (locking.outcome, lock.rules, lock.classes, lock.target) == (
        "locked",
        {},
        (),
        "table.csv",
    )
    assert {(image.label, image.split) for image in lock.images} == {("", "")}
    assert locking.report.notes == (said,)
    assert verify_target(file).lock == str(locking.path)
    (file.parent / NAMES[0]).write_bytes((file.parent / NAMES[1]).read_bytes())
    kinds = [problem.kind for problem in verify_target(file).problems]
    assert kinds == ["changed", "duplicate-in-split"]


@pytest.mark.parametrize("column", ["image", "Path,PATH"])
def test_a_table_whose_paths_are_not_known_asks_for_a_config(table, column):
    file = table(column)
    if "," in column:
        file.write_text("Path,PATH\na/1.png,a/1.png\n", encoding="utf-8")
    with pytest.raises(DataError, match="column called path") as caught:
        verify_target(file)
    assert "config" in caught.value.hint


def write_npz(path, labels):
    labels = np.array(labels)
    draw = np.random.default_rng(len(labels))
    images = draw.integers(0, 256, (len(labels), 40, 40), dtype=np.uint8)
    np.savez(path, train_images=images, train_labels=labels)
    return path


@pytest.mark.parametrize(
    ("labels", "classes", "counts"),
    [
        ([[0], [2], [0], [1]], ("0", "1", "2"), {"0": 2, "1": 1, "2": 1}),
        ([[0, 0, 0], [1, 0, 1], [0, 1, 0]], ("0", "1", "2"), {"-": 1, "0": 1, "1": 1, "2": 1}),
    ],
)
def test_the_classes_of_an_npz_file_without_a_config_are_numbers(tmp_path, labels, classes, counts):
    file = write_npz(tmp_path / "set.npz", labels)
    report = verify_target(file)
    assert (report.verdict, report.counts) == ("verified", {"train": counts})
    locking = lock_target(file)
    assert (locking.outcome, load_lock(locking.path).classes) == ("locked", classes)
    assert verify_target(file).verdict == "verified"


@pytest.mark.parametrize("value", [-1, 100_000])
def test_a_label_that_can_be_no_class_stays_an_error(tmp_path, value):
    report = verify_target(write_npz(tmp_path / "set.npz", [[0], [value], [1]]))
    assert [problem.kind for problem in report.problems] == ["label-out-of-range"]


def test_where_labels_and_splits_are_not_compared_with_a_lock_that_is_said(tmp_path):
    names = [f"{split}/{label}/{split}.png" for split in ("train", "val") for label in "AB"]
    root = make_noise_set(tmp_path / "set", names)
    config = write_set_config(tmp_path / "mine.yaml", root)
    lock = lock_target(config).path
    said = "only images were compared with the lock: name a config for labels, patients and splits"
    assert verify_target(root, lock=lock).notes == (said,)
    assert verify_target(config).notes == ()
    assert verify_target(root, lock=lock_target(root).path).notes == ()
    assert verify_target(root, lock=lock).to_json()["notes"] == [said]
