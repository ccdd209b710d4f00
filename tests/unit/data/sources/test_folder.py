from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from collections import Counter

import pytest

from cxr.config.data_section import DataConfig
from cxr.data.sources.folder import find_images
from cxr.data.sources.listing import list_images
from cxr.digests.files import digest_file
from cxr.errors import DataError
from cxr.records.data_lock import DataLock, write_data_lock
from support.data_sets import scan

NAMES = (
    "train/NORMAL/IM-0001.jpeg",
    "train/NORMAL/IM-0002.jpeg",
    "train/PNEUMONIA/person1_virus_1.jpeg",
    "train/PNEUMONIA/person1_virus_2.jpeg",
    "val/NORMAL/IM-0003.jpeg",
    "test/NORMAL/IM-0009.jpeg",
    "test/PNEUMONIA/person9_virus_1.jpeg",
)
PATTERN = r"^(person\d+|IM-\d+)"


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "images", NAMES)


def make(root, names):
    """Make files whose content is their name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, encoding="utf-8", errors="surrogateescape")
    return root


def configure(root, **changes):
    values = {"source": "folder", "root": str(root), "classes": ("NORMAL", "PNEUMONIA"), **changes}
    return DataConfig(**values)


def test_samples_are_found_labelled_and_hashed(root):
    lock = scan(configure(root, group_pattern=PATTERN))
    assert lock.classes == ("NORMAL", "PNEUMONIA")
    found = {sample.path: sample for sample in lock.samples}
    assert found.keys() == set(NAMES)
    one = found["train/PNEUMONIA/person1_virus_2.jpeg"]
    assert (one.label, one.group, one.split) == ("PNEUMONIA", "person1", "train")
    assert one.bytes == len("train/PNEUMONIA/person1_virus_2.jpeg")
    assert one.sha256 == digest_file(root / one.path)


@pytest.fixture
def list_backwards(monkeypatch):
    """Have the disk list everything in the other order from now on."""
    walk = os.walk

    def walk_backwards(top, **options):
        for parent, folders, names in walk(top, **options):
            folders.sort(reverse=True)
            yield parent, folders, sorted(names, reverse=True)

    return lambda: monkeypatch.setattr(os, "walk", walk_backwards)


def test_samples_are_sorted_by_split_and_file_name_whatever_the_disk_says(root, list_backwards):
    before = scan(configure(root)).samples
    assert [sample.path.rpartition("/")[2] for sample in before] == [
        "IM-0009.jpeg",
        "person9_virus_1.jpeg",
        "IM-0001.jpeg",
        "IM-0002.jpeg",
        "person1_virus_1.jpeg",
        "person1_virus_2.jpeg",
        "IM-0003.jpeg",
    ]
    listed = list_images(root)
    list_backwards()
    assert scan(configure(root)).samples == before
    assert list_images(root) == listed == sorted(listed)


def test_an_image_that_moves_to_another_class_keeps_its_place(root):
    before = [sample.path.rpartition("/")[2] for sample in scan(configure(root)).samples]
    (root / NAMES[0]).rename(root / "train/PNEUMONIA/IM-0001.jpeg")
    after = scan(configure(root)).samples
    assert [sample.path.rpartition("/")[2] for sample in after] == before
    assert after[2].label == "PNEUMONIA"


def test_the_digest_does_not_depend_on_where_the_data_lies(root):
    before = scan(configure(root)).digest
    moved = root.rename(root.with_name("moved"))
    assert scan(configure(moved)).digest == before


def test_only_images_that_are_not_hidden_count(root):
    make(
        root,
        [
            "train/NORMAL/notes.txt",
            "train/NORMAL/._IM-0001.jpeg",
            "train/NORMAL/.DS_Store",
            "train/NORMAL/Thumbs.db",
            "other/NORMAL/a.png",
            "a.png",
        ],
    )
    assert {sample.path for sample in scan(configure(root)).samples} == set(NAMES)


def test_images_in_a_hidden_folder_do_not_count(root):
    make(root, ["train/NORMAL/.ipynb_checkpoints/IM-0001-checkpoint.jpeg", "train/.trash/a.png"])
    assert {sample.path for sample in scan(configure(root)).samples} == set(NAMES)


@pytest.mark.parametrize("suffix", ["jpeg", "JPG", "png", "PNG", "bmp", "tif", "TIFF"])
def test_images_are_known_by_their_suffix(tmp_path, suffix):
    make(tmp_path, [f"a.{suffix}", "b.gif", "c.npy", "d"])
    assert list_images(tmp_path) == [tmp_path / f"a.{suffix}"]


def test_images_behind_links_count(root, tmp_path):
    elsewhere = make(tmp_path / "elsewhere", ["more.png"])
    (root / "train/NORMAL/linked").symlink_to(elsewhere, target_is_directory=True)
    (root / "train/NORMAL/one.png").symlink_to(elsewhere / "more.png")
    paths = {sample.path for sample in scan(configure(root)).samples} - set(NAMES)
    assert paths == {"train/NORMAL/linked/more.png", "train/NORMAL/one.png"}


def test_a_directory_that_is_linked_twice_counts_once_whatever_the_disk_says(
    root, tmp_path, list_backwards
):
    elsewhere = make(tmp_path / "elsewhere", ["more.png"])
    for label in ("NORMAL", "PNEUMONIA"):
        (root / "train" / label / "linked").symlink_to(elsewhere, target_is_directory=True)
    before = scan(configure(root)).samples
    assert len(before) == len(NAMES) + 1
    list_backwards()
    assert scan(configure(root)).samples == before


def test_a_link_to_a_directory_above_comes_to_an_end(root):
    (root / "train/NORMAL/up").symlink_to(root / "train", target_is_directory=True)
    assert {sample.path for sample in scan(configure(root)).samples} == set(NAMES)


@pytest.mark.parametrize(
    "name", ["train/NORMAL/caf\udce9.png", "train/NORMAL/caf\udce9/a.png", "train/NORMAL/a\nb.png"]
)
def test_a_name_that_no_record_could_hold_is_refused(root, name):
    make(root, [name])
    with pytest.raises(DataError, match="a file's name holds control characters or is not Unicode"):
        scan(configure(root))


def test_a_link_to_nothing_is_an_error_that_names_it(root):
    (root / "train/NORMAL/lost.png").symlink_to(root / "nothing.png")
    with pytest.raises(DataError, match="cannot read an image: No such file") as caught:
        scan(configure(root))
    assert caught.value.where == str(root / "train/NORMAL/lost.png")


def test_a_link_that_may_have_led_to_a_directory_is_refused(root):
    make(root, ["train/NORMAL/.hidden/a.png"])
    (root / "train/NORMAL/.gone").symlink_to(root / "nothing")
    assert {sample.path for sample in scan(configure(root)).samples} == set(NAMES)
    (root / "train/NORMAL/more").symlink_to(root / "nothing")
    with pytest.raises(DataError, match="a link leads nowhere") as caught:
        scan(configure(root))
    assert caught.value.where == str(root / "train/NORMAL/more")


def test_a_split_that_is_a_link_to_nothing_is_refused_and_a_missing_one_is_not(root):
    shutil.rmtree(root / "val")
    assert "val" not in {sample.split for sample in scan(configure(root)).samples}
    (root / "val").symlink_to(root / "nothing")
    with pytest.raises(DataError, match="cannot list a directory: No such file") as caught:
        scan(configure(root))
    assert caught.value.where == str(root / "val")


@pytest.mark.parametrize("place", ["val", "train/NORMAL", "train/NORMAL/deeper"])
def test_a_directory_that_cannot_be_listed_is_refused(root, monkeypatch, place):
    make(root, ["train/NORMAL/deeper/a.png"])
    scandir = os.scandir

    def scan_directory(path):
        if path == str(root / place):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan_directory)
    with pytest.raises(DataError, match="cannot list a directory: Permission denied") as caught:
        scan(configure(root))
    assert caught.value.where == str(root / place)


def test_a_file_where_a_split_belongs_is_refused(root):
    shutil.rmtree(root / "val")
    (root / "val").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match="cannot list a directory: Not a directory"):
        scan(configure(root))


@pytest.mark.parametrize("through_link", [False, True])
def test_a_pipe_with_the_name_of_an_image_is_refused_and_not_waited_for(root, through_link):
    pipe = root / "pipe"
    os.mkfifo(pipe)
    file = root / "train/NORMAL/a.jpeg"
    if through_link:
        file.symlink_to(pipe)
    else:
        pipe.rename(file)
    with pytest.raises(DataError, match="cannot read an image: it is a named pipe") as caught:
        scan(configure(root))
    assert caught.value.where == str(file)


def test_a_directory_with_the_name_of_an_image_is_refused(root):
    make(root, ["train/NORMAL/study.png/a.png"])
    with pytest.raises(DataError, match="cannot read an image: it is a directory") as caught:
        scan(configure(root))
    assert caught.value.where == str(root / "train/NORMAL/study.png")


def test_a_root_that_is_a_link_gives_the_same_samples(root, tmp_path):
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    assert scan(configure(tmp_path / "link")) == scan(configure(root))


def test_globs_choose_classes_by_folder_and_file(root):
    globs = {"healthy": "NORMAL/*", "viral": "PNEUMONIA/*_virus_*"}
    config = configure(root, classes=("healthy", "viral"), class_globs=globs)
    assert scan(config).count_labels("train") == {"healthy": 2, "viral": 2}


def test_a_file_that_no_class_wants_is_refused(root):
    make(root, ["train/COVID/a.png"])
    with pytest.raises(DataError, match="a file belongs to no class") as caught:
        scan(configure(root))
    assert caught.value.where == str(root / "train/COVID/a.png")


def test_a_file_that_two_classes_want_is_refused(root):
    globs = {"NORMAL": "*", "PNEUMONIA": "PNEUMONIA/*"}
    with pytest.raises(DataError, match="a file belongs to NORMAL and PNEUMONIA"):
        scan(configure(root, class_globs=globs))


def test_the_name_of_a_class_is_no_pattern(tmp_path):
    names = ["train/Grade [1]/a.png", "train/Grade 1/b.png", "train/What?/c.png"]
    config = configure(make(tmp_path, names), classes=("Grade [1]", "Grade 1", "What?"))
    assert [sample.label for sample in scan(config).samples] == list(config.classes)


@pytest.mark.parametrize(
    ("make_root", "problem"),
    [
        (lambda _: None, "no such data set"),
        (lambda path: path.write_text("x"), "the data set's root is not a directory"),
        (lambda path: path.mkdir(), "no images"),
        (lambda path: make(path, ["NORMAL/a.png"]), "no images"),
        (
            lambda path: make(path, ["train/NORMAL/a.png", "test/PNEUMONIA/b.png"]),
            "no training image of the class PNEUMONIA",
        ),
    ],
)
def test_a_root_that_cannot_be_trained_on_is_refused(tmp_path, make_root, problem):
    make_root(tmp_path / "root")
    with pytest.raises(DataError, match=problem) as caught:
        scan(configure(tmp_path / "root"))
    assert str(tmp_path / "root") in caught.value.where


def test_validation_keeps_its_directory_when_no_share_is_asked_for(root):
    splits = {image.path: image.split for image in find_images(root, configure(root))}
    assert splits["val/NORMAL/IM-0003.jpeg"] == "val"
    assert all(split == path.partition("/")[0] for path, split in splits.items())


@pytest.fixture
def patients(tmp_path):
    names = [
        f"{split}/{label}/person{patient}_{image}.png"
        for patient in range(60)
        for image in range(3)
        for split, label in [(("train", "val")[(patient + image) % 2], ("A", "B")[patient % 2])]
    ]
    return make(tmp_path / "patients", [*names, "test/A/person0_9.png"])


def hold_out(root, **changes):
    config = configure(
        root, classes=("A", "B"), group_pattern=r"person\d+", validation_fraction=0.25, **changes
    )
    return {image.path: (image.group, image.split) for image in find_images(root, config)}


def test_a_patient_is_never_in_training_and_validation(patients):
    found = hold_out(patients)
    sides = {}
    for path, (group, split) in found.items():
        if not path.startswith("test"):
            sides.setdefault(group, set()).add(split)
    assert {len(splits) for splits in sides.values()} == {1}
    assert set.union(*sides.values()) == {"train", "val"}
    assert found["test/A/person0_9.png"] == ("person0", "test")


def test_with_a_lock_adding_and_removing_images_moves_no_one(patients, tmp_path):
    config = configure(
        patients, classes=("A", "B"), group_pattern=r"person\d+", validation_fraction=0.25
    )
    before = hold_out(patients)
    lock = tmp_path / "data.lock.json"
    write_data_lock(lock, scan(config))
    make(patients, [f"train/A/person{patient}_0.png" for patient in range(100, 130)])
    (patients / next(path for path in before if path.startswith("train"))).unlink()
    after = hold_out(patients, lock=str(lock))
    assert all(after[path] == before[path] for path in before.keys() & after.keys())
    assert {split for path, (_, split) in after.items() if path not in before} == {"train", "val"}
    # Without the lock somebody moves: it is what holds them.
    anew = hold_out(patients)
    assert any(anew[path] != before[path] for path in before.keys() & anew.keys())


def test_a_lock_with_a_group_in_two_splits_is_refused(patients, tmp_path):
    lock = tmp_path / "data.lock.json"
    # Image by image, as if there were no patients.
    config = configure(patients, classes=("A", "B"), validation_fraction=0.0)
    parted = [dataclasses.replace(one, group="person1") for one in scan(config).samples]
    write_data_lock(lock, DataLock(classes=("A", "B"), samples=tuple(parted)))
    with pytest.raises(DataError, match=r"the lock has the group person1 in \w+ and \w+"):
        hold_out(patients, lock=str(lock))


def test_one_folder_a_class_is_divided_by_patients(tmp_path):
    names = [
        f"{'AB'[patient % 2]}/person{patient}_{i}.png" for patient in range(40) for i in (0, 1)
    ]
    config = configure(
        make(tmp_path / "classes", names),
        classes=("A", "B"),
        layout="classes",
        group_pattern=r"person\d+",
        validation_fraction=0.2,
        test_fraction=0.1,
    )
    found = find_images(tmp_path / "classes", config)
    assert sorted(image.path for image in found) == sorted(names)
    assert {image.label for image in found if image.path.startswith("A/")} == {"A"}
    groups = {(image.group, image.label, image.split) for image in found}
    assert len(groups) == 40
    assert Counter((label, split) for _, label, split in groups) == {
        **dict.fromkeys([("A", "train"), ("B", "train")], 14),
        **dict.fromkeys([("A", "val"), ("B", "val")], 4),
        **dict.fromkeys([("A", "test"), ("B", "test")], 2),
    }
    splits = [image.split for image in found]
    assert splits == sorted(splits)


def test_patterns_name_the_classes_of_one_folder_a_class_as_well(tmp_path):
    root = make(tmp_path / "classes", ["x/1_bacteria.png", "x/2_virus.png"])
    globs = {"B": "x/*_bacteria*", "V": "x/*_virus*"}
    config = configure(root, classes=("B", "V"), class_globs=globs, layout="classes")
    labels = {image.path: (image.label, image.split) for image in find_images(root, config)}
    assert labels == {"x/1_bacteria.png": ("B", "train"), "x/2_virus.png": ("V", "train")}


def test_one_folder_a_class_without_images_is_refused(tmp_path):
    config = configure(make(tmp_path / "classes", ["A/a.txt"]), layout="classes")
    with pytest.raises(DataError, match=r"no images .* below it") as caught:
        scan(config)
    assert "a folder for each class" in caught.value.hint


def test_another_seed_holds_out_other_patients(patients):
    assert hold_out(patients) != hold_out(patients, split_seed=1)


def test_progress_ends_at_all_images(root):
    heard = []

    class Listener:
        def advance(self, what, done, total):
            heard.append((what, done, total))

        def note(self, text):
            raise AssertionError(text)

    scan(configure(root), progress=Listener())
    num = len(NAMES)
    assert heard == [("hashing images", done, num) for done in range(1, num + 1)]


def test_a_split_that_is_asked_for_and_would_be_empty_is_refused(patients):
    changes = {"classes": ("A", "B"), "validation_fraction": 0.001}
    with pytest.raises(DataError, match="no group is left for the split val") as caught:
        find_images(patients, configure(patients, group_pattern=r"person\d+", **changes))
    assert "ask for a larger share" in caught.value.hint
