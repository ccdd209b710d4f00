from __future__ import annotations

import pytest

from cxr.data.caches.answers import recall, remembered
from cxr.digests.canonical import digest_json

ANSWER = {"problems": [["MEYER_ANNA_1950.png", 3, None, "ä"]]}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_an_answer_is_computed_once_for_each_key():
    asked = []

    def compute():
        asked.append(1)
        return ANSWER

    one, other = digest_json(1), digest_json(2)
    assert [remembered(one, compute), remembered(one, compute)] == [ANSWER, ANSWER]
    assert len(asked) == 1
    remembered(other, compute)
    assert len(asked) == 2


def test_who_does_not_know_the_key_reads_nothing(place):
    remembered("sha256:key", lambda: ANSWER)
    kept = b"".join(file.read_bytes() for file in place.rglob("*") if file.is_file())
    assert kept
    for secret in (b"MEYER", b"problems", b"sha256:key"):
        assert secret not in kept
    assert recall("sha256:other") is None
    assert recall("sha256:key") == ANSWER


def test_an_exception_is_not_an_answer():
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        remembered("sha256:key", fail)
    assert remembered("sha256:key", lambda: ANSWER) == ANSWER


def test_without_a_place_it_is_computed_each_time(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("cxr.data.caches.store.find_cache_directory", lambda _: None)
    assert remembered("sha256:key", lambda: 1) == 1
    assert remembered("sha256:key", lambda: 2) == 2
