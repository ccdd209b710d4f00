from __future__ import annotations

import numpy as np
import pytest

from cxr.config.data_section import SyntheticConfig
from cxr.data.sources.vectors import CLASSES, draw_vectors
from cxr.digests.canonical import digest_bytes


@pytest.fixture(scope="module")
def drawn():
    return draw_vectors(SyntheticConfig(seed=1, train=50, val=20, test=30, noise=64))


def test_splits_have_their_sizes_and_lie_one_after_another(drawn):
    lock, pixels = drawn
    assert pixels.shape == (100, 28, 28, 1)
    assert pixels.dtype == np.uint8
    assert [sample.split for sample in lock.samples] == ["test"] * 30 + ["train"] * 50 + [
        "val"
    ] * 20
    assert lock.classes == CLASSES
    assert set(lock.count_labels("train").values()) == {5}


def test_each_sample_is_locked_by_its_own_bytes(drawn):
    lock, pixels = drawn
    for sample, image in zip(lock.samples, pixels, strict=True):
        assert sample.sha256 == digest_bytes(image.tobytes())
        assert sample.bytes == 784
    assert len({sample.path for sample in lock.samples}) == 100
    assert len({sample.sha256 for sample in lock.samples}) == 100


def test_the_same_seed_gives_the_same_vectors_and_another_gives_others(drawn):
    again = draw_vectors(SyntheticConfig(seed=1, train=50, val=20, test=30, noise=64))
    assert again[0] == drawn[0]
    assert np.array_equal(again[1], drawn[1])
    other = draw_vectors(SyntheticConfig(seed=2, train=50, val=20, test=30, noise=64))
    assert other[0].digest != drawn[0].digest


def test_a_split_does_not_depend_on_the_size_of_another(drawn):
    lock, pixels = draw_vectors(SyntheticConfig(seed=1, train=7, val=20, test=30, noise=64))
    assert np.array_equal(pixels[:30], drawn[1][:30])
    assert lock.of_split("val") == drawn[0].of_split("val")
    assert lock.of_split("train") == drawn[0].of_split("train")[:7]


def test_noise_stays_within_its_bound_of_the_class_pattern(drawn):
    _, still = draw_vectors(SyntheticConfig(seed=1, train=50, val=20, test=30, noise=0))
    distance = np.abs(drawn[1].astype(int) - still.astype(int))
    assert distance.max() == 64
    assert np.array_equal(still[30], still[40])
    assert still.min() >= 96
    assert still.max() < 160


def test_known_vectors_stay_as_they_are():
    lock, _ = draw_vectors(SyntheticConfig(seed=0, train=3, val=0, test=1))
    assert lock.digest == (
        "sha256:27d186c95ab306e38251d77d2fb847243b9ef6a7f8e1a239a937fcf1c684b4a8"
    )
