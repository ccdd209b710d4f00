"""A package that came from elsewhere than its lock takes it is a difference."""

from __future__ import annotations

import pytest

from cxr.environment.capture import capture_environment
from cxr.environment.lock_file import find_lock_file, load_lock
from cxr.environment.locked_origins import compare_origins, derive_sources
from support.locks import HASH, INDEX, write_lock

COMMIT = "0" * 39 + "a"
OTHER = "0" * 39 + "b"
WHEEL = "wheel py3-none-any"
OTHER_HASH = f"sha256:{'b' * 64}"

SOURCES = {
    "registry": f'registry = "{INDEX}"',
    "git": f'git = "https://user:word@forge.invalid/one?rev=main#{COMMIT}"',
    "url": 'url = "https://files.invalid/one.whl"',
    "path": 'path = "one.whl"',
    "editable": 'editable = "one"',
    "directory": 'directory = "one"',
    "virtual": 'virtual = "one"',
}


def lock(tmp_path, source, *, hashed=True):
    wheels = f'wheels = [{{ url = "x", hash = "{HASH}" }}]\n' if hashed else ""
    more = f'[[package]]\nname = "one"\nversion = "1"\nsource = {{ {SOURCES[source]} }}\n{wheels}'
    return load_lock(write_lock(tmp_path / "uv.lock", {}, needs=['{ name = "one" }'], more=more))


@pytest.mark.parametrize(
    ("source", "fits", "told"),
    [
        ("registry", [WHEEL, "sdist", "wheel"], "index"),
        ("git", [f"git {COMMIT}"], f"git {COMMIT}"),
        ("url", [f"archive {HASH}", "archive"], "archive"),
        ("path", [f"archive {HASH}", "archive"], "archive"),
        ("editable", ["editable", "directory"], "editable"),
        ("directory", ["directory"], "directory"),
        ("virtual", [], "virtual"),
    ],
)
def test_each_kind_of_source_is_told_from_every_other(tmp_path, source, fits, told):
    locked = lock(tmp_path, source)
    assert derive_sources(locked) == {"one": told}
    origins = [WHEEL, "wheel", "sdist", "editable", "directory", "archive", "unknown"]
    origins += [f"archive {HASH}", f"archive {OTHER_HASH}", f"git {COMMIT}", f"git {OTHER}"]
    for origin in [*origins, f"hg {COMMIT}"]:
        found = compare_origins(locked, {"one": origin})
        expected = {} if origin in fits else {"one": {"locked": told, "installed": origin}}
        assert found == expected, origin


def test_an_archive_without_a_locked_hash_is_only_an_archive(tmp_path):
    assert compare_origins(lock(tmp_path, "path", hashed=False), {"one": f"archive {HASH}"}) == {}


def test_of_two_sources_either_will_do(tmp_path):
    entry = '[[package]]\nname = "one"\nversion = "{}"\nsource = {{ {} }}\n'
    more = entry.format("1", SOURCES["registry"]) + entry.format("2", SOURCES["git"])
    locked = load_lock(write_lock(tmp_path / "uv.lock", {}, needs=['{ name = "one" }'], more=more))
    assert compare_origins(locked, {"one": WHEEL}) == {}
    assert compare_origins(locked, {"one": f"git {COMMIT}"}) == {}
    assert compare_origins(locked, {"one": "editable"}) == {
        "one": {"locked": f"index or git {COMMIT}", "installed": "editable"}
    }


def test_the_project_itself_is_looked_at_and_a_stranger_is_not(tmp_path):
    locked = lock(tmp_path, "registry")
    assert compare_origins(locked, {"mine": "editable", "stranger": "editable"}) == {}
    assert compare_origins(locked, {"mine": WHEEL}) == {
        "mine": {"locked": "editable", "installed": WHEEL}
    }


def test_this_environment_is_from_where_its_lock_takes_it():
    origins = capture_environment()["origins"]
    path = find_lock_file()
    assert path is not None
    locked = load_lock(path)
    assert compare_origins(locked, origins) == {}
    assert compare_origins(locked, {**origins, "torch": f"git {COMMIT}"}) == {
        "torch": {"locked": "index", "installed": f"git {COMMIT}"}
    }
