from __future__ import annotations

import pytest

from cxr.data.caches.answers import recall, remember
from cxr.digests.canonical import digest_json

ANSWER = {"problems": [["MEYER_ANNA_1950.png", 3, None, "ä"]]}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_each_key_has_an_answer_of_its_own():
    one, other = digest_json(1), digest_json(2)
    remember(one, ANSWER)
    assert (recall(one), recall(other)) == (ANSWER, None)
    remember(other, [])
    assert (recall(one), recall(other)) == (ANSWER, [])


def test_who_does_not_know_the_key_reads_nothing(place):
    remember("sha256:key", ANSWER)
    kept = b"".join(file.read_bytes() for file in place.rglob("*") if file.is_file())
    assert kept
    for secret in (b"MEYER", b"problems", b"sha256:key"):
        assert secret not in kept
    assert recall("sha256:other") is None
    assert recall("sha256:key") == ANSWER


def test_without_a_place_nothing_is_kept(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("cxr.data.caches.store.find_cache_directory", lambda _: None)
    remember("sha256:key", 1)
    assert recall("sha256:key") is None
