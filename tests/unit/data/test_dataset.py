from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.config.data_section import DataConfig, SyntheticConfig
from cxr.data.checks.locking import lock_target
from cxr.data.dataset import load_dataset, load_same_dataset
from cxr.data.sources.npz import NpzSource
from cxr.errors import DataError, RecordError
from cxr.records.data_lock import write_data_lock
from cxr.records.set_lock import load_lock
from support.dicoms import draw_values, make_dicom, write_dicom
from support.noise import draw_noise, make_noise_set, write_set_config


@pytest.fixture
def config(tmp_path):
    """A folder of five images, each of one level of grey, with a cache of its own."""
    levels = {
        "train/B/1.png": 10,
        "train/A/2.png": 20,
        "test/A/3.png": 30,
        "val/B/4.png": 40,
        "train/A/0.png": 50,
    }
    for name, level in levels.items():
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), level).save(path)
    return DataConfig(
        source="folder",
        root=str(tmp_path / "images"),
        cache_dir=str(tmp_path / "cache"),
        classes=("A", "B"),
        image_size=8,
    )


def test_a_split_has_its_own_images_labels_and_paths_in_one_order(config):
    dataset = load_dataset(config)
    train = dataset.split("train")
    assert len(train) == 3
    assert train.paths == ("train/A/0.png", "train/B/1.png", "train/A/2.png")
    assert train.labels.tolist() == [0, 1, 0]
    assert train.labels.dtype == np.int64
    assert train.images_NHWC[:, 0, 0, 0].tolist() == [50, 10, 20]
    assert dataset.split("test").images_NHWC[:, 0, 0, 0].tolist() == [30]
    assert dataset.split("val").images_NHWC[:, 0, 0, 0].tolist() == [40]


def test_a_split_that_is_not_there_is_empty(config):
    dataset = load_dataset(config.model_copy(update={"validation_fraction": 0.0}))
    nothing = dataset.split("other")
    assert len(nothing) == 0
    assert nothing.images_NHWC.shape == (0, 8, 8, 1)
    assert nothing.labels.shape == (0,)


def test_held_out_images_keep_their_pixels_and_labels(config):
    dataset = load_dataset(config.model_copy(update={"validation_fraction": 0.5, "split_seed": 26}))
    levels = {"1.png": 10, "2.png": 20, "3.png": 30, "4.png": 40, "0.png": 50}
    seen = []
    for name in ("train", "val", "test"):
        split = dataset.split(name)
        for path, image, label in zip(split.paths, split.images_NHWC, split.labels, strict=True):
            assert image[0, 0, 0] == levels[path.rpartition("/")[2]]
            assert ("A", "B")[label] == path.split("/")[1]
            seen.append(path)
    assert len(seen) == len(levels)


def test_synthetic_vectors_need_no_file():
    config = DataConfig(
        source="synthetic", image_size=28, synthetic=SyntheticConfig(train=10, val=0, test=10)
    )
    dataset = load_dataset(config)
    assert len(dataset.split("train")) == 10
    assert len(dataset.split("val")) == 0
    assert dataset.split("train").labels.tolist() == list(range(10))


@pytest.fixture
def npz(tmp_path):
    """An npz file of six images with two labels, which an image may have any number of."""

    def write(labels):
        arrays = {
            "train_images": np.random.default_rng(1).integers(0, 256, (6, 8, 8), np.uint8),
            "train_labels": np.array(labels),
        }
        np.savez(tmp_path / "set.npz", **arrays)
        return DataConfig(
            source="npz",
            root=str(tmp_path / "set.npz"),
            cache_dir=str(tmp_path / "cache"),
            classes=("A", "B"),
            image_size=8,
        )

    return write


def test_several_labels_are_targets_with_what_is_known_of_them(npz):
    labels = [[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [1, 0]]
    dataset = load_dataset(npz(labels))
    train = dataset.split("train")
    assert dataset.has_several_labels
    assert train.labels.dtype == np.float32
    assert train.labels.tolist() == labels
    assert train.known.all()
    assert train.label_texts[:4] == ("-", "B", "A", "A|B")
    assert dataset.lock.count_labels("train") == {"A": 3, "B": 2}


def test_one_label_each_is_an_index_and_can_be_asked_for_by_itself(npz):
    dataset = load_dataset(npz([[0], [1], [1], [0], [1], [0]]))
    train = dataset.split("train")
    assert not dataset.has_several_labels
    assert train.known is None
    assert train.labels.tolist() == [0, 1, 1, 0, 1, 0]
    targets, known = train.derive_answers()
    assert targets.tolist() == [[1, 0], [0, 1], [0, 1], [1, 0], [0, 1], [1, 0]]
    assert known.all()


def test_a_label_that_is_no_class_is_refused_before_images_are_read(npz, monkeypatch):
    monkeypatch.setattr(NpzSource, "read", None)
    with pytest.raises(DataError, match="the labels of 2 samples name none of the 2 classes"):
        load_dataset(npz([[0], [1], [2], [0], [7], [0]]))


@pytest.fixture
def noisy(tmp_path):
    """A sound set that its lock is beside, by patients, and what heard of it."""
    names = [f"{'AB'[number % 2]}/person{number}_1.png" for number in range(12)]
    config = DataConfig(
        source="folder",
        root=str(make_noise_set(tmp_path / "set", names)),
        cache_dir=str(tmp_path / "cache"),
        classes=("A", "B"),
        layout="classes",
        group_pattern=r"person\d+",
        validation_fraction=0.3,
        test_fraction=0.2,
        image_size=8,
        lock=str(tmp_path / "set.lock.json"),
    )
    fields = config.model_dump(include={"layout", "group_pattern", "lock"})
    fields |= {"validation_fraction": 0.3, "test_fraction": 0.2}
    lock_target(write_set_config(tmp_path / "c.yaml", Path(config.root), **fields))
    return config


def test_splits_come_from_the_lock(noisy):
    locked = {image.path: image.split for image in load_lock(Path(noisy.lock)).images}
    loaded = load_dataset(noisy).lock
    assert {sample.path: sample.split for sample in loaded.samples} == locked
    # Where the lock says otherwise than the rule, the lock counts.
    tree = json.loads(Path(noisy.lock).read_bytes())
    moved = next(row for row in tree["samples"] if row[-1] == "test")
    moved[-1] = "train"
    Path(noisy.lock).write_text(json.dumps(tree), encoding="utf-8")
    loaded = load_dataset(noisy).lock
    assert {one.path for one in loaded.samples if one.split != locked[one.path]} == {moved[0]}


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lambda root: (root / "A/person0_1.png").unlink(), "missing (1)"),
        (lambda root: (root / "A/new.png").write_bytes(draw_noise(99)), None),
        (lambda root: (root / "A/person98.png").write_bytes(draw_noise(99)), "extra (1)"),
        (lambda root: (root / "A/person0_1.png").write_bytes(draw_noise(99)), "changed (1)"),
        (
            lambda root: (root / "A/person0_1.png").rename(root / "A/person0_2.png"),
            "renamed (1)",
        ),
    ],
)
def test_a_set_that_is_not_that_of_its_lock_is_refused(noisy, change, kinds):
    change(Path(noisy.root))
    with pytest.raises(DataError) as caught:
        load_dataset(noisy)
    if kinds is None:
        assert "does not match a file's name" in caught.value.problem
    else:
        assert caught.value.problem == f"the data set has an error: {kinds}"
    assert not Path(noisy.cache_dir).exists()


def test_a_lock_that_is_not_there_is_refused_with_the_command_that_writes_it(noisy):
    Path(noisy.lock).unlink()
    with pytest.raises(RecordError, match="there is no such lock") as caught:
        load_dataset(noisy)
    assert "cxr data lock" in caught.value.hint


def test_a_run_s_lock_keeps_splits_as_well(noisy, tmp_path):
    lock = load_dataset(noisy).lock
    moved = [
        dataclasses.replace(one, split="val" if one.split == "test" else one.split)
        for one in lock.samples
    ]
    write_data_lock(tmp_path / "data.lock.json", dataclasses.replace(lock, samples=tuple(moved)))
    changed = noisy.model_copy(update={"lock": str(tmp_path / "data.lock.json")})
    loaded = load_dataset(changed).lock
    assert not loaded.of_split("test")
    assert len(loaded.of_split("val")) == len(lock.of_split("val")) + len(lock.of_split("test"))


def test_warnings_are_told_in_one_line(noisy):
    notes = []

    class Listener:
        def advance(self, what, done, total):
            pass

        def note(self, text):
            notes.append(text)

    shutil.copy(Path(noisy.root, "A/person0_1.png"), Path(noisy.root, "A/person0_2.png"))
    load_dataset(noisy.model_copy(update={"lock": None}), progress=Listener())
    assert notes == ["warnings about the data: duplicate-in-split (1); see cxr data verify"]


def test_what_is_accepted_is_trained_on_and_what_is_not_is_refused(noisy):
    shutil.copy(Path(noisy.root, "A/person0_1.png"), Path(noisy.root, "B/person0_2.png"))
    config = noisy.model_copy(update={"lock": None})
    with pytest.raises(DataError, match="an error: duplicate-labels-differ"):
        load_dataset(config)
    accepted = config.model_copy(update={"accept": ("duplicate-labels-differ",)})
    assert len(load_dataset(accepted).lock.samples) == 13


def test_where_nothing_decodes_an_image_the_hint_is_to_install_what_does(config, monkeypatch):
    file = Path(config.root, "test/A/4.dcm")
    file.write_bytes(write_dicom(make_dicom(draw_values(low=0, high=255), bits=8)))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DataError, match="no-decoder") as caught:
        load_dataset(config.model_copy(update={"accept": ("too-small", "constant")}))
    assert "cxr[dicom]" in caught.value.hint


def test_errors_in_the_data_of_a_recorded_run_are_told_and_not_refused(noisy):
    shutil.copy(Path(noisy.root, "A/person0_1.png"), Path(noisy.root, "B/person0_2.png"))
    config = noisy.model_copy(update={"lock": None})
    accepted = config.model_copy(update={"accept": ("duplicate-labels-differ",)})
    digest = load_dataset(accepted).lock.digest
    notes = []

    class Listener:
        def advance(self, what, done, total):
            pass

        def note(self, text):
            notes.append(text)

    assert load_dataset(config, recorded={digest}, progress=Listener()).lock.digest == digest
    said = "errors in the data that the run was trained on: duplicate-labels-differ (1)"
    assert notes == [said]
    with pytest.raises(DataError, match="duplicate-labels-differ") as caught:
        load_dataset(config, recorded={"sha256:0"})
    assert "restore the data" in caught.value.hint


def test_images_of_other_patients_are_not_the_data_of_the_run(config):
    lock = load_dataset(config).lock
    assert load_same_dataset(config, lock).lock == lock
    corrected = config.model_copy(update={"group_pattern": "[0-2]|[34]"})
    assert load_dataset(corrected).lock.digest == lock.digest
    with pytest.raises(DataError, match=r"images of other patients .*: 5") as caught:
        load_same_dataset(corrected, lock)
    first = load_dataset(corrected).lock.samples[0]
    said = f"{first.path}: no group in the run's data.lock.json, {first.group} now"
    assert caught.value.where == said


@pytest.mark.parametrize("fields", [{}, {"validation_fraction": 0.5}], ids=["as it is", "divided"])
def test_another_key_of_the_pseudonyms_is_one_error(config, tmp_path, fields):
    key = tmp_path / "key"
    key.write_text("one key of this test, long enough")
    key.chmod(0o600)
    config = config.model_copy(update={"pseudonym_key": str(key), **fields})
    lock = load_dataset(config).lock
    write_data_lock(tmp_path / "data.lock.json", lock)
    if fields:
        # As of a recorded run that was divided: the run's own lock holds its splits.
        config = config.model_copy(update={"lock": str(tmp_path / "data.lock.json")})
    assert load_same_dataset(config, lock).lock == lock
    key.write_text("another key of it, of some length")
    with pytest.raises(DataError, match="the key of the pseudonyms is another one") as caught:
        load_same_dataset(config, lock)
    assert caught.value.where == str(key)
