from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cxr.config.data_section import DataConfig, SyntheticConfig
from cxr.data.dataset import load_dataset
from cxr.data.sources.npz import NpzSource
from cxr.errors import DataError


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
            "train_images": np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8),
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
