"""What a reproduction says of data before anything is trained."""

from __future__ import annotations

import pytest

from cxr.digests.files import digest_file
from cxr.progress import SILENCE
from cxr.records.data_lock import write_data_lock
from cxr.reproduce.plan import check_data
from cxr.reproduce.record import Record
from support.data_sets import scan, write_table
from support.recipes import labels, load_recipe


@pytest.fixture
def config(tmp_path):
    write_table(tmp_path)
    return load_recipe(labels(tmp_path / "table.csv"))


def record_data(config, directory):
    """Return a run of a config, as far as its data are concerned."""
    lock = scan(config.data)
    directory.mkdir()
    write_data_lock(directory / "data.lock.json", lock)
    files = {"data.lock.json": digest_file(directory / "data.lock.json")}
    manifest = {"recipe": {"data_digest": lock.digest}, "files": files}
    return Record(manifest=manifest, directory=directory)


@pytest.fixture
def record(config, tmp_path):
    return record_data(config, tmp_path / "run")


def rewrite(table, old, new):
    text = table.read_text(encoding="utf-8")
    assert text.count(old) == 1
    table.write_text(text.replace(old, new), encoding="utf-8")


def check(record, config):
    return list(check_data(record, config, SILENCE))


def test_the_same_data_are_nothing_to_tell(record, config):
    assert check(record, config) == []


def test_patients_that_are_others_now_are_told_and_not_in_the_way(record, config, tmp_path):
    rewrite(tmp_path / "table.csv", ",p31,", ",p32,")
    [item] = check(record, config)
    assert (item.field, item.expected, item.found) == ("images/31.png#group", "p31", "p32")
    assert (item.affects_bits, item.is_in_the_way) == ("no", False)
    assert "restore the patients" in item.do


def test_of_a_manifest_alone_patients_are_not_known(record, config, tmp_path):
    rewrite(tmp_path / "table.csv", ",p31,", ",p32,")
    assert check(Record(manifest=record.manifest, directory=None), config) == []


def test_another_label_is_in_the_way(record, config, tmp_path):
    rewrite(tmp_path / "table.csv", "images/33.png,1.0,", "images/33.png,0.0,")
    [item] = check(record, config)
    assert item.field == "images/33.png#label"
    assert item.is_in_the_way
    assert "restore the file" in item.do


@pytest.fixture
def key(tmp_path):
    file = tmp_path / "key"
    file.write_text("one key of this test, long enough")
    file.chmod(0o600)
    return file


def test_another_key_of_the_pseudonyms_is_one_thing_in_the_way(config, tmp_path, key):
    data = config.data.model_copy(update={"pseudonym_key": str(key)})
    config = config.model_copy(update={"data": data})
    record = record_data(config, tmp_path / "run")
    assert check(record, config) == []
    key.write_text("another key of it, of some length")
    [item] = check(record, config)
    assert (item.field, item.is_in_the_way) == ("data.pseudonym_key", True)
    assert item.do == "say with --key FILE where the run's is"
