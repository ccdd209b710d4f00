from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cxr.digests.files import digest_file
from cxr.environment import locked_packages
from cxr.environment.lock_file import load_lock
from cxr.environment.locked_packages import capture_lock, compare_lock, derive_locked
from cxr.environment.packages import capture_packages
from cxr.environment.wanted_packages import find_needed, find_wanted
from support.locks import INDEX, write_lock

ROOT = Path(__file__).parents[3]
HERE = f"sys_platform == '{sys.platform}'"
ELSEWHERE = f"sys_platform != '{sys.platform}'"


def read(tmp_path, packages, **options):
    return load_lock(write_lock(tmp_path / "uv.lock", packages, **options))


def test_this_environment_is_as_its_lock_has_it():
    lock = load_lock(ROOT / "uv.lock")
    installed = capture_packages()
    # What somebody added by hand is not in the lock, and stands in nobody's way here.
    differs = compare_lock(lock, installed)
    assert {name: one for name, one in differs.items() if one["locked"] is not None} == {}
    locked = derive_locked(lock)
    assert locked["torch"] == installed["torch"]
    assert locked["pytest"] == installed["pytest"]
    assert "cxr" not in locked
    # A group that is not installed is asked for all the same.
    assert {"lightning", "aiohttp"} <= locked.keys() - installed.keys()


def test_one_numpy_of_the_two_in_the_lock_is_for_this_python():
    lock = load_lock(ROOT / "uv.lock")
    old, new = (package.version for package in lock.packages["numpy"])
    assert derive_locked(lock)["numpy"] == (old if sys.version_info < (3, 12) else new)


def test_each_kind_of_difference_is_named(tmp_path):
    lock = read(tmp_path, {"one": "1.0", "two": "2.0", "three": "3.0"})
    installed = {"mine": "0.1.0", "one": "1.1", "two": "2.0.0", "stranger": "7", "pip": "9"}
    assert compare_lock(lock, installed) == {
        "one": {"locked": "1.0", "installed": "1.1"},
        "stranger": {"locked": None, "installed": "7"},
        "three": {"locked": "3.0", "installed": None},
    }
    assert compare_lock(lock, {"mine": "0.1.0", "one": "1", "two": "2.0", "three": "3.0"}) == {}


def test_a_local_version_is_another_one_and_no_version_is_compared_as_text(tmp_path):
    lock = read(tmp_path, {"one": "1.0", "odd": "2004d"})
    assert compare_lock(lock, {"one": "1.0+cu126", "odd": "2004d"}) == {
        "one": {"locked": "1.0", "installed": "1.0+cu126"}
    }
    assert compare_lock(lock, {"one": "1.0", "odd": "2004e"})["odd"]["installed"] == "2004e"


def test_another_version_of_the_project_itself_is_a_difference(tmp_path):
    lock = read(tmp_path, {})
    assert compare_lock(lock, {"mine": "0.2.0"}) == {
        "mine": {"locked": "0.1.0", "installed": "0.2.0"}
    }
    # It need not be installed itself.
    assert compare_lock(lock, {}) == {}


def test_a_dependency_counts_only_where_its_marker_holds(tmp_path):
    needs = [
        f'{{ name = "here", marker = "{HERE}" }}',
        f'{{ name = "there", marker = "{ELSEWHERE}" }}',
        """{ name = "extra", marker = "extra == 'extra-4-mine-cpu'" }""",
    ]
    lock = read(tmp_path, {"here": "1", "there": "1", "extra": "1"}, needs=needs)
    # Whether the extra is asked for, no lock tells: it may be, and need not.
    assert derive_locked(lock) == {"extra": "1", "here": "1"}
    assert compare_lock(lock, {"here": "1", "there": "1"}) == {
        "there": {"locked": None, "installed": "1"}
    }


TWINS = (
    '[package.optional-dependencies]\nold = [{ name = "twin", version = "1.0" }]\n'
    'new = [{ name = "twin", version = "2.0" }]\n'
    '[[package]]\nname = "twin"\nversion = "1.0"\nsource = { registry = "x" }\n'
    '[[package]]\nname = "twin"\nversion = "2.0"\nsource = { registry = "x" }\n'
)


def test_extras_that_exclude_each_other_each_have_their_version(tmp_path):
    lock = read(tmp_path, {}, needs=[], more=TWINS)
    assert derive_locked(lock) == {"twin": "1.0 or 2.0"}
    assert compare_lock(lock, {}) == compare_lock(lock, {"twin": "1"}) == {}
    assert compare_lock(lock, {"twin": "2"}) == {}
    assert compare_lock(lock, {"twin": "3"}) == {"twin": {"locked": "1.0 or 2.0", "installed": "3"}}


@pytest.mark.parametrize(
    ("marker", "may", "must"),
    [
        ("extra == 'extra-4-mine-cpu'", True, False),
        ("extra != 'extra-4-mine-cpu'", True, True),
        ("extra == 'extra-4-mine-a' and extra == 'group-4-mine-b'", True, False),
        (f"{HERE} and extra == 'project-4-mine'", True, False),
        (f"{HERE} or extra == 'extra-4-mine-cpu'", True, True),
        (f"{ELSEWHERE} and extra != 'extra-4-mine-cpu'", False, False),
        (f"{ELSEWHERE} or (extra == 'extra-4-mine-a' and {HERE})", True, False),
        ("'extra-4-mine-cpu' == extra", True, False),
        ("extra == 'cpu'", False, False),
    ],
)
def test_what_hangs_on_an_extra_that_nobody_knows_of_may_be_wanted(tmp_path, marker, may, must):
    table = (
        '[[package]]\nname = "top"\nversion = "1"\nsource = { registry = "x" }\n'
        f'dependencies = [{{ name = "below", marker = "{marker}" }}]\n'
    )
    lock = read(tmp_path, {"below": "2"}, needs=['{ name = "top" }'], more=table)
    assert ("below" in find_wanted(lock)) == may
    assert ("below" in find_needed(lock)) == must


def test_a_version_that_no_marker_gives_is_wanted_all_the_same(tmp_path):
    more = (
        '[[package]]\nname = "fork"\nversion = "1"\nsource = { registry = "x" }\n'
        f'resolution-markers = ["{ELSEWHERE}"]\n'
    )
    lock = read(tmp_path, {}, needs=['{ name = "fork" }'], more=more)
    assert compare_lock(lock, {}) == {"fork": {"locked": "1", "installed": None}}


def test_a_virtual_project_is_never_installed(tmp_path):
    more = '[[package]]\nname = "beside"\nversion = "1"\nsource = { virtual = "../beside" }\n'
    lock = read(tmp_path, {}, needs=['{ name = "beside" }'], more=more)
    assert compare_lock(lock, {}) == {}


def test_what_a_dependency_needs_is_needed_and_extras_only_where_asked_for(tmp_path):
    table = (
        '[[package]]\nname = "top"\nversion = "1"\nsource = { registry = "x" }\n'
        'dependencies = [{ name = "below" }, { name = "top", extra = ["fast"] }]\n'
        "[package.optional-dependencies]\n"
        'fast = [{ name = "quick" }]\nslow = [{ name = "lazy" }]\n'
        '[[package]]\nname = "below"\nversion = "2"\nsource = { registry = "x" }\n'
        'dependencies = [{ name = "top" }]\n'
    )
    lock = read(tmp_path, {"quick": "3", "lazy": "4"}, needs=['{ name = "top" }'], more=table)
    assert derive_locked(lock) == {"top": "1", "below": "2", "quick": "3"}
    lock = read(
        tmp_path,
        {"quick": "3", "lazy": "4"},
        needs=['{ name = "top", extra = ["slow"] }'],
        more=table.replace(', { name = "top", extra = ["fast"] }', ""),
    )
    assert derive_locked(lock) == {"top": "1", "below": "2", "lazy": "4"}


def test_groups_and_extras_of_the_project_may_be_missing_but_not_be_others(tmp_path):
    more = (
        '[package.dev-dependencies]\ndev = [{ name = "tool" }]\n'
        '[package.optional-dependencies]\nplots = [{ name = "plot" }]\n'
    )
    lock = read(tmp_path, {"tool": "1", "plot": "2"}, needs=[], more=more)
    assert derive_locked(lock) == {"tool": "1", "plot": "2"}
    assert compare_lock(lock, {}) == {}
    assert compare_lock(lock, {"tool": "1.1", "plot": "2"}) == {
        "tool": {"locked": "1", "installed": "1.1"}
    }


def test_of_several_versions_the_dependency_or_the_platform_chooses(tmp_path):
    def entry(version, marker):
        return (
            f'[[package]]\nname = "fork"\nversion = "{version}"\n'
            f'source = {{ registry = "{INDEX}" }}\nresolution-markers = ["{marker}"]\n'
        )

    more = entry("1", ELSEWHERE) + entry("2", HERE)
    assert derive_locked(read(tmp_path, {}, needs=['{ name = "fork" }'], more=more)) == {
        "fork": "2"
    }
    chosen = '{ name = "fork", version = "1" }'
    both = more.replace(ELSEWHERE, HERE)
    assert derive_locked(read(tmp_path, {}, needs=[chosen], more=both)) == {"fork": "1"}


def test_a_workspace_has_one_project_that_is_installed_and_others_that_may_be(tmp_path):
    more = (
        '[[package]]\nname = "member"\nversion = "1"\nsource = { editable = "packages/member" }\n'
        'dependencies = [{ name = "theirs" }]\n'
    )
    path = write_lock(tmp_path / "uv.lock", {"theirs": "1", "ours": "1"}, needs=['{name="ours"}'])
    path.write_text(
        path.read_text().replace("\n\n", '\n\n[manifest]\nmembers = ["member", "mine"]\n', 1) + more
    )
    lock = load_lock(path)
    assert (lock.roots, lock.members) == (("mine",), ("member",))
    assert derive_locked(lock) == {"ours": "1", "theirs": "1"}
    assert compare_lock(lock, {}) == {"ours": {"locked": "1", "installed": None}}
    assert compare_lock(lock, {"ours": "1", "member": "1", "theirs": "1"}) == {}


def test_a_project_without_a_version_can_only_be_there_or_not(tmp_path):
    more = '[[package]]\nname = "beside"\nsource = { directory = "../beside" }\n'
    lock = read(tmp_path, {}, needs=['{ name = "beside" }'], more=more)
    assert derive_locked(lock) == {}
    assert compare_lock(lock, {"beside": "7"}) == {}
    assert compare_lock(lock, {}) == {"beside": {"locked": None, "installed": None}}


def test_the_capture_names_what_differs_from_the_lock(monkeypatch, tmp_path):
    path = write_lock(tmp_path / "uv.lock", {"one": "1.0"})
    monkeypatch.setattr(locked_packages, "find_lock_file", lambda: path)
    assert capture_lock({"one": "2.0"}, {"one": "editable"}) == {
        "digest": digest_file(path),
        "differs": {"one": {"locked": "1.0", "installed": "2.0"}},
    }
    assert capture_lock({"one": "1.0"}, {"one": "wheel py3-none-any"})["differs"] == {}
    assert capture_lock({"one": "1.0"}, {"one": "editable"})["differs"] == {
        "one": {"locked": "index", "installed": "editable"}
    }
    path.write_text("version = 2\npackage = []\n")
    assert capture_lock({}, {}) == {"digest": digest_file(path), "differs": "not_read"}
    path.unlink()
    assert capture_lock({}, {}) == {"digest": "not_read", "differs": "not_read"}
    monkeypatch.setattr(locked_packages, "find_lock_file", lambda: None)
    assert capture_lock({}, {}) == {"digest": None, "differs": {}}


@pytest.mark.parametrize("name", ["pip", "setuptools", "wheel", "uv"])
def test_installers_need_not_be_locked_but_if_they_are_they_count(tmp_path, name):
    assert compare_lock(read(tmp_path, {}), {name: "1"}) == {}
    assert compare_lock(read(tmp_path, {name: "2"}), {name: "1"}) == {
        name: {"locked": "2", "installed": "1"}
    }
