from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st

from cxr.records.data_lock import DataLock, load_data_lock, write_data_lock
from properties.strategies import data_locks, examples, samples


@given(data_locks)
@examples(max_examples=50)
def test_a_lock_that_is_written_is_read_again(lock):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "data.lock.json"
        write_data_lock(path, lock)
        again = load_data_lock(path)
    assert again == lock
    assert again.digest == lock.digest


@given(data_locks, samples, st.sampled_from(["path", "sha256", "label", "split"]), st.data())
@examples()
def test_a_changed_sample_changes_the_digest(lock, other, field, data):
    index = data.draw(st.integers(0, len(lock.samples) - 1))
    before = lock.samples[index]
    assume(getattr(before, field) != getattr(other, field))
    changed = dataclasses.replace(before, **{field: getattr(other, field)})
    found = list(lock.samples)
    found[index] = changed
    assert dataclasses.replace(lock, samples=tuple(found)).digest != lock.digest


@given(data_locks, samples, st.data())
@examples()
def test_an_added_and_a_removed_sample_change_the_digest(lock, other, data):
    index = data.draw(st.integers(0, len(lock.samples) - 1))
    added = (*lock.samples[:index], other, *lock.samples[index:])
    removed = lock.samples[:index] + lock.samples[index + 1 :]
    digests = {
        lock.digest,
        dataclasses.replace(lock, samples=added).digest,
        dataclasses.replace(lock, samples=removed).digest,
    }
    assert len(digests) == 3


@given(data_locks, st.randoms(use_true_random=False))
@examples()
def test_order_groups_and_sizes_do_not_change_the_digest(lock, random):
    shuffled = random.sample(lock.samples, len(lock.samples))
    plain = tuple(dataclasses.replace(sample, group="", bytes=0) for sample in shuffled)
    assert DataLock(classes=lock.classes, samples=plain).digest == lock.digest


@given(data_locks)
@examples(max_examples=50)
def test_splits_hold_every_sample_once_and_labels_add_up(lock):
    splits = {name: lock.of_split(name) for name in ("train", "val", "test")}
    found = [sample for members in splits.values() for sample in members]
    assert sorted(found, key=id) == sorted(lock.samples, key=id)
    for name, members in splits.items():
        assert sum(lock.count_labels(name).values()) == len(members)
