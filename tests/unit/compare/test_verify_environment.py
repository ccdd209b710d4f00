"""Captures side by side: every difference once, those that affect bits first."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cxr.compare.environment_reference import Reference, load_reference
from cxr.compare.environment_report import EnvironmentReport
from cxr.compare.untold_facts import find_untold
from cxr.compare.verify_environment import verify_environment
from cxr.determinism.levels import Level
from cxr.environment.facts import NOT_READ
from cxr.environment.lock_file import load_lock
from cxr.errors import UsageError

HERE: dict[str, Any] = {
    "schema": "cxr.environment/3",
    "python": {"version": "3.13.0", "hash_randomization": False},
    "os": {"system": "Linux", "release": "6.1"},
    "cpu": {"model": "A", "machine": "x86_64", "cores": 2},
    "gpu": {"devices": [], "cuda": None},
    "numerics": {"build": "sha256:0", "cpu_capability": "AVX2", "threads": {"openblas": 2}},
    "switches": {"torch.default_dtype": "float32"},
    "variables": {"OMP_NUM_THREADS": None, "MKL_CBWR": "AVX2"},
    "packages": {"torch": "2.9", "rich": "14"},
    "origins": {"torch": "wheel cp313", "rich": "wheel py3"},
    "code": {"version": "1", "digest": "sha256:0", "commit": "0" * 40, "dirty": False},
    "arithmetic": {"version": 1},
    "images": {"canaries": {"png": "x"}, "canaries_changed": []},
}


def change(**changes: Any) -> dict[str, Any]:
    """Return the capture with facts changed, ``group__fact``; ``...`` removes one."""
    capture = copy.deepcopy(HERE)
    for dotted, value in changes.items():
        group, _, name = dotted.partition("__")
        if not name:
            capture[group] = value
        elif value is ...:
            del capture[group][name]
        else:
            capture[group][name] = value
    return capture


def verify(
    expected: dict[str, Any], found: dict[str, Any], kind: Any = "capture", **options: Any
) -> EnvironmentReport:
    return verify_environment(Reference(kind=kind, capture=expected), found, **options)


def list_fields(report: EnvironmentReport) -> list[tuple[str, str]]:
    return [(one.field, one.affects_bits) for one in report.differences]


def test_the_same_is_verified():
    for kind in ("capture", "run", "manifest"):
        found = verify(HERE, HERE, kind)
        assert (found.verdict, found.differences, found.unread) == ("verified", [], [])


def test_what_affects_bits_comes_first_and_everything_counts():
    found = verify(
        HERE, change(os__release="6.2", cpu__model="B", code__digest="sha256:1", code__commit="1")
    )
    assert found.verdict == "differs"
    assert list_fields(found) == [
        ("cpu.model", "yes"),
        ("code.digest", "unknown"),
        ("os.release", "no"),
        ("code.commit", "no"),
    ]
    assert all(one.do for one in found.differences)
    assert found.to_json()["level"] == "strict"


@pytest.mark.parametrize("kind", ["run", "evaluation", "repeat", "manifest"])
def test_what_cxr_sets_for_every_run_is_no_difference_from_one(kind: str):
    found = change(
        variables__OMP_NUM_THREADS="4",
        variables__PYTHONHASHSEED="1",
        python__hash_randomization=True,
        numerics__threads={"openblas": 1},
    )
    assert verify(HERE, found, kind).verdict == "verified"
    assert {field for field, _ in list_fields(verify(HERE, found))} == {
        "python.hash_randomization",
        "numerics.threads",
        "variables.OMP_NUM_THREADS",
        "variables.PYTHONHASHSEED",
    }


def test_what_could_not_be_read_here_differs():
    found = verify(HERE, change(numerics=NOT_READ, gpu__devices=NOT_READ), "run")
    assert list_fields(found) == [
        ("gpu.devices", "yes"),
        ("numerics.build", "yes"),
        ("numerics.cpu_capability", "yes"),
    ]
    assert {one.found for one in found.differences} == {"not_read"}


def test_what_the_record_does_not_tell_is_named():
    expected = change(numerics=NOT_READ, cpu__model=..., gpu=NOT_READ, switches=NOT_READ)
    found = verify(expected, change(switches=NOT_READ))
    assert found.verdict == "verified"
    assert found.unread == ["cpu.model", "gpu", "numerics", "switches"]
    assert find_untold(expected, HERE, Level.PORTABLE) == []
    assert find_untold({"packages": {}}, HERE, Level.PORTABLE) == ["arithmetic", "images"]


def test_a_value_that_neither_side_recorded_is_not_taken_for_the_same():
    there = change(variables__MKL_CBWR="not_recorded", variables__MKL_DEBUG_CPU_TYPE="5")
    found = verify(there, there)
    assert (found.verdict, found.unread) == ("verified", ["variables.MKL_CBWR"])
    known = change(variables__MKL_DEBUG_CPU_TYPE="5")
    assert list_fields(verify(there, known)) == [("variables.MKL_CBWR", "yes")]
    assert verify(HERE, HERE).unread == []


def test_a_level_leaves_out_what_does_not_affect_its_bits():
    found = change(os__release="6.2", cpu__model="B", images__canaries={"png": "y"})
    strict = verify(HERE, found, level=Level.STRICT)
    assert list_fields(strict) == [("cpu.model", "yes"), ("images.canaries", "yes")]
    portable = verify(HERE, found, level=Level.PORTABLE)
    assert list_fields(portable) == [("images.canaries", "yes")]
    assert verify(HERE, change(os__release="6.2"), level=Level.STRICT).verdict == "verified"
    # Other sources may compute other bits at every level.
    other = verify(HERE, change(code__digest="sha256:1", code__dirty=True), level=Level.PORTABLE)
    assert list_fields(other) == [("code.digest", "unknown")]


def test_the_commit_counts_for_a_run_only_where_the_sources_are_others():
    moved = change(code__commit="1", code__dirty=True)
    assert verify(HERE, moved, "run").verdict == "verified"
    assert list_fields(verify(HERE, moved)) == [("code.commit", "no"), ("code.dirty", "no")]
    moved["code"]["digest"] = "sha256:1"
    assert [field for field, _ in list_fields(verify(HERE, moved, "run"))] == [
        "code.digest",
        "code.commit",
        "code.dirty",
    ]


def test_how_far_packages_are_from_their_lock_follows_from_both():
    expected = change(lock={"digest": "sha256:0", "differs": {}})
    differs = {"rich": {"locked": "14", "installed": "15"}}
    moved = change(lock={"digest": "sha256:0", "differs": differs}, packages__rich="15")
    assert list_fields(verify(expected, moved)) == [("packages.rich", "no")]
    locked = change(lock={"digest": "sha256:1", "differs": differs})
    assert list_fields(verify(expected, locked)) == [("lock.digest", "no")]
    alone = change(lock={"digest": "sha256:0", "differs": differs})
    assert list_fields(verify(expected, alone)) == [("lock.differs", "no")]


@pytest.mark.parametrize(
    ("ignored", "left", "count"),
    [
        (["os.release"], ["cpu.model", "packages.rich"], 1),
        (["os", "packages"], ["cpu.model"], 2),
        (["cpu.model", "os", "packages.rich"], [], 3),
        (["cpu"], ["os.release", "packages.rich"], 1),
    ],
)
def test_what_is_to_be_ignored_is_counted(ignored: list[str], left: list[str], count: int):
    found = change(os__release="6.2", cpu__model="B", packages__rich="15")
    report = verify(HERE, found, ignored=ignored)
    assert ([field for field, _ in list_fields(report)], report.ignored) == (left, count)
    assert report.verdict == ("differs" if left else "verified")


def test_what_was_never_looked_for_is_not_counted_as_ignored():
    found = change(gpu={"devices": NOT_READ, "cuda": NOT_READ}, os__release="6.2")
    report = verify(HERE, found, ignored=["gpu", "os.release"])
    assert (report.verdict, report.ignored) == ("verified", 1)
    assert verify(HERE, found, ignored=["os.release"]).verdict == "differs"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("os.relase", "perhaps os.release"),
        ("package", "perhaps packages"),
        ("packages.", "packages"),
        ("cpu.mod", "perhaps cpu.model"),
        ("schema", "perhaps"),
        ("zzzzzzzz", "name a fact or a group"),
    ],
)
def test_a_name_that_is_none_is_not_ignored_in_silence(name: str, hint: str):
    with pytest.raises(UsageError, match="no fact is called") as one:
        verify(HERE, HERE, ignored=[name])
    assert hint in one.value.hint


def test_a_manifest_alone_is_compared_as_far_as_it_tells():
    partial = {
        "schema": "cxr.environment/3",
        "cpu": {"model": "A"},
        "variables": {},
        "packages": HERE["packages"],
        "code": {"digest": "sha256:0"},
    }
    found = verify(partial, change(os__release="6.2"), "manifest")
    # A variable that somebody chose would be in the manifest.
    assert list_fields(found) == [("variables.MKL_CBWR", "yes")]
    assert found.unread == [
        *("python", "os", "cpu.machine", "gpu", "numerics", "switches", "origins", "images")
    ]
    # How threads wait would not be, as no bits depend on it.
    waiting = change(variables__MKL_CBWR=..., variables__OMP_WAIT_POLICY="PASSIVE")
    assert verify(partial, waiting, "manifest").verdict == "verified"
    other = verify(partial, change(packages__rich="15", variables__MKL_CBWR=...), "manifest")
    assert list_fields(other) == [("packages.rich", "no")]


def test_a_lock_is_compared_with_what_is_installed(tmp_path):
    path = tmp_path / "uv.lock"
    path.write_text(
        'version = 1\n[[package]]\nname = "app"\nversion = "0"\nsource = { editable = "." }\n'
        'dependencies = [{ name = "torch" }, { name = "rich" }]\n'
        '[[package]]\nname = "torch"\nversion = "2.9"\nsource = { registry = "x" }\n'
        '[[package]]\nname = "rich"\nversion = "13"\nsource = { registry = "x" }\n',
        encoding="utf-8",
    )
    lock = load_lock(path)
    reference = load_reference(path)
    assert reference.lock == lock
    report = verify_environment(reference, HERE)
    assert list_fields(report) == [("packages.rich", "no")]
    assert {one.do for one in report.differences} == {"uv sync"}
    assert report.unread == [
        *("python", "os", "cpu", "gpu", "numerics", "switches", "variables", "images")
    ]
    # In its locked version, but from a checkout that somebody edits.
    elsewhere = verify_environment(reference, change(origins__torch="editable"))
    (torch, _) = elsewhere.differences
    assert (torch.field, torch.expected, torch.found) == ("origins.torch", "index", "editable")
    assert (torch.affects_bits, torch.do) == ("yes", "uv sync --reinstall-package torch")
    moved = change(origins__torch="editable", packages__torch="2.10")
    assert list_fields(verify_environment(reference, moved)) == [
        ("packages.torch", "yes"),
        ("packages.rich", "no"),
    ]


def test_from_where_a_package_came_says_how_far_it_is_from_its_lock():
    expected = change(lock={"digest": "sha256:0", "differs": {}})
    differs = {"rich": {"locked": "index", "installed": "editable"}}
    moved = change(lock={"digest": "sha256:0", "differs": differs}, origins__rich="editable")
    assert list_fields(verify(expected, moved)) == [("origins.rich", "no")]
