from __future__ import annotations

from pathlib import Path

from cxr.places import find_cache_directory


def test_each_subject_has_a_place_below_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_cache_directory("one") == tmp_path / "cxr" / "one"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert find_cache_directory("one") == tmp_path / "home" / ".cache" / "cxr" / "one"


def test_a_user_without_a_home_has_none(monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    assert find_cache_directory("one") is None
