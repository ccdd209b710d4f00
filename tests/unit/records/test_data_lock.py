from __future__ import annotations

import dataclasses
import json

import pytest

from cxr.digests.canonical import digest_json
from cxr.errors import RecordError
from cxr.records.data_lock import SCHEMA, DataLock, Sample, load_data_lock, write_data_lock


def sample(path, label="NORMAL", split="train", **changes):
    values = {"bytes": 7, "sha256": f"sha256:{path}", "group": "person1", **changes}
    return Sample(path=path, label=label, split=split, **values)


LOCK = DataLock(
    classes=("NORMAL", "PNEUMONIA"),
    samples=(
        sample("test/b.png", split="test"),
        sample("train/ü\udce9.png"),
        sample("train/a.png", label="PNEUMONIA"),
    ),
)


def replaced(index=0, **changes):
    samples = list(LOCK.samples)
    samples[index] = dataclasses.replace(samples[index], **changes)
    return dataclasses.replace(LOCK, samples=tuple(samples))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.lock.json"
    write_data_lock(path, LOCK)
    return path


def test_what_is_written_is_read_again(file):
    assert load_data_lock(file) == LOCK


def test_a_lock_is_json_with_one_sample_a_line(file):
    lines = file.read_text(encoding="ascii").splitlines()
    assert len(lines) == len(LOCK.samples) + 2
    assert json.loads(lines[1].removesuffix(","))["path"] == "test/b.png"
    assert json.loads(file.read_bytes())["schema"] == SCHEMA


def test_an_empty_lock_is_written_and_read(file):
    empty = DataLock(classes=(), samples=())
    write_data_lock(file, empty)
    assert load_data_lock(file) == empty


def test_the_digest_is_what_the_format_says():
    rows = [
        ["test/b.png", "sha256:test/b.png", "NORMAL", "test"],
        ["train/a.png", "sha256:train/a.png", "PNEUMONIA", "train"],
        ["train/ü\udce9.png", "sha256:train/ü\udce9.png", "NORMAL", "train"],
    ]
    assert LOCK.digest == digest_json({"classes": ["NORMAL", "PNEUMONIA"], "samples": rows})


@pytest.mark.parametrize(
    "other",
    [
        replaced(path="test/c.png"),
        replaced(sha256="sha256:x"),
        replaced(label="PNEUMONIA"),
        replaced(split="val"),
        dataclasses.replace(LOCK, samples=LOCK.samples[1:]),
        dataclasses.replace(LOCK, samples=(*LOCK.samples, sample("train/c.png"))),
        dataclasses.replace(LOCK, samples=(*LOCK.samples, LOCK.samples[0])),
        dataclasses.replace(LOCK, classes=("PNEUMONIA", "NORMAL")),
    ],
)
def test_the_digest_sees_every_change_that_affects_bits(other):
    assert other.digest != LOCK.digest


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(LOCK, samples=LOCK.samples[::-1]),
        replaced(group="person2"),
        replaced(bytes=8),
    ],
)
def test_the_digest_does_not_see_what_affects_no_bits(other):
    assert other.digest == LOCK.digest


def test_samples_of_a_split_are_in_order_and_labels_are_counted():
    assert [found.path for found in LOCK.of_split("train")] == ["train/ü\udce9.png", "train/a.png"]
    assert LOCK.of_split("val") == []
    assert LOCK.count_labels("train") == {"NORMAL": 1, "PNEUMONIA": 1}
    assert LOCK.count_labels("test") == {"NORMAL": 1, "PNEUMONIA": 0}


def edit(file, change):
    content = json.loads(file.read_bytes())
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda lock: lock.pop("samples"),
        lambda lock: lock.pop("classes"),
        lambda lock: lock.update(samples=None),
        lambda lock: lock.update(samples="abc"),
        lambda lock: lock.update(classes=5),
        lambda lock: lock.update(classes="AB"),
        lambda lock: lock.update(classes=[1, 2]),
        lambda lock: lock["samples"].append([]),
        lambda lock: lock["samples"][0].pop("group"),
        lambda lock: lock["samples"][0].update(more=1),
        lambda lock: lock["samples"][0].update(path=1),
        lambda lock: lock["samples"][0].update(bytes="7"),
        lambda lock: lock["samples"][0].update(split=None),
        lambda lock: lock["samples"].append(lock["samples"][0]),
    ],
)
def test_an_edited_lock_is_refused_and_named(file, change):
    edit(file, change)
    with pytest.raises(RecordError, match="the data lock lacks or misspells a field") as caught:
        load_data_lock(file)
    assert caught.value.where == str(file)


def test_another_schema_is_refused_by_its_name(file):
    edit(file, lambda lock: lock.update(schema="cxr.data-lock/2"))
    with pytest.raises(RecordError, match=r"its schema is 'cxr\.data-lock/2'"):
        load_data_lock(file)


def test_a_lock_that_is_missing_or_cut_short_is_refused(file, tmp_path):
    with pytest.raises(RecordError, match="cannot read the record"):
        load_data_lock(tmp_path / "nothing")
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(RecordError, match="the record is not JSON"):
        load_data_lock(file)
