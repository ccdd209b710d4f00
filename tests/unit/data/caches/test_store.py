from __future__ import annotations

import sqlite3
import stat
import threading

import pytest

from cxr.data.caches import store as module
from cxr.data.caches.store import FILE_NAME, Store


@pytest.fixture
def open_store(tmp_path):
    opened = []

    def open_one():
        opened.append(Store.open(tmp_path / "looks"))
        return opened[-1]

    yield open_one
    for one in opened:
        if one is not None:
            one.close()


def test_rows_are_there_for_whoever_opens_it_next(open_store):
    rows = [(bytes([i]) * 32, b"%d" % i) for i in range(200)]
    open_store().put("looks", rows)
    again = open_store()
    assert again.get("looks", [key for key, _ in rows] * 7) == dict(rows)
    assert again.get("files", [rows[0][0]]) == {}
    again.put("looks", [(rows[3][0], b"other")])
    assert again.get("looks", [rows[3][0]]) == {rows[3][0]: b"other"}


def test_only_its_owner_can_read_it(open_store, tmp_path):
    open_store()
    assert stat.S_IMODE((tmp_path / "looks" / FILE_NAME).stat().st_mode) == 0o600


def test_a_flipped_bit_is_a_missing_row(open_store, tmp_path):
    open_store().put("looks", [(b"a", b"one"), (b"b", b"two")])
    with sqlite3.connect(tmp_path / "looks" / FILE_NAME) as connection:
        connection.execute("UPDATE looks SET content = ? WHERE key = ?", [b"onf", b"a"])
    connection.close()
    assert open_store().get("looks", [b"a", b"b"]) == {b"b": b"two"}


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"\0" * 100_000])
def test_a_damaged_file_is_made_anew(open_store, tmp_path, content):
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks" / FILE_NAME).write_bytes(content)
    store = open_store()
    store.put("looks", [(b"a", b"one")])
    assert store.get("looks", [b"a"]) == {b"a": b"one"}


def test_a_file_that_is_damaged_further_in_is_done_without_and_made_anew(open_store, tmp_path):
    store = open_store()
    store.put("looks", [(b"%032d" % i, b"x" * 500) for i in range(2_000)])
    store.close()
    file = tmp_path / "looks" / FILE_NAME
    sound = file.read_bytes()
    pages = range(4096, len(sound), 4096)
    file.write_bytes(
        sound[:4096] + b"".join(b"\xff" * 100 + sound[p + 100 : p + 4096] for p in pages)
    )
    damaged = open_store()
    if damaged is not None:
        assert damaged.get("looks", [b"%032d" % 7]) == {}
        damaged.put("looks", [(b"a", b"one")])
        damaged.close()
    again = open_store()
    again.put("looks", [(b"a", b"one")])
    assert again.get("looks", [b"a"]) == {b"a": b"one"}


def test_the_rows_that_were_written_first_go_first(open_store, monkeypatch):
    monkeypatch.setitem(module.MAX_ROWS, "looks", 10)
    store = open_store()
    for i in range(25):
        store.put("looks", [(b"%d" % i, b"x"), (b"0", b"written again")])
    keys = [b"%d" % i for i in range(25)]
    assert set(store.get("looks", keys)) <= {b"0", *keys[15:]}
    assert {b"0", b"24"} <= set(store.get("looks", keys))


def test_a_place_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert Store.open(tmp_path / "file" / "looks") is None


def test_two_writers_lose_nothing(open_store):
    def write(store, start):
        for i in range(start, start + 50):
            store.put("looks", [(b"%d" % i, b"x")])

    stores = [open_store(), open_store()]
    threads = [
        threading.Thread(target=write, args=(store, 50 * i)) for i, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(open_store().get("looks", [b"%d" % i for i in range(100)])) == 100
