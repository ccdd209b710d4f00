from __future__ import annotations

import copy

import pytest

from cxr.determinism.levels import Level
from cxr.environment.comparison import compare_captures, find_unread

CAPTURE = {
    "schema": "cxr.environment/3",
    "os": {"system": "Linux", "release": "6.1"},
    "cpu": {"model": "A", "cores": 2},
    "numerics": {"build": "sha256:1", "cpu_capability": "AVX2"},
    "variables": {"ATEN_CPU_CAPABILITY": None},
    "packages": {"torch": "2.9", "rich": "1"},
    "installed": {"torch": []},
    "code": {"digest": "sha256:2"},
    "images": {"canaries": {"png": "x"}, "canaries_changed": []},
}


def change(group, **facts):
    changed = copy.deepcopy(CAPTURE)
    changed[group] = {**changed[group], **facts} if isinstance(changed[group], dict) else facts
    return changed


def compare(found, level=Level.STRICT):
    return [
        (one.field, one.expected, one.found, one.affects_bits)
        for one in compare_captures(CAPTURE, found, level)
    ]


def test_equal_captures_do_not_differ():
    assert compare(copy.deepcopy(CAPTURE)) == []


def test_what_affects_bits_comes_first():
    found = change("os", release="6.2")
    found["packages"] = {"torch": "2.10"}
    assert compare(found) == [
        ("packages.torch", "2.9", "2.10", "yes"),
        ("os.release", "6.1", "6.2", "no"),
        ("packages.rich", "1", None, "no"),
    ]


def test_the_level_decides_what_affects_bits():
    found = change("cpu", model="B")
    assert compare(found) == [("cpu.model", "A", "B", "yes")]
    assert compare(found, Level.PORTABLE) == [("cpu.model", "A", "B", "no")]


def test_a_consequence_is_not_listed_beside_its_cause():
    found = change("numerics", cpu_capability="DEFAULT")
    assert [field for field, *_ in compare(found)] == ["numerics.cpu_capability"]
    found["variables"] = {"ATEN_CPU_CAPABILITY": "default"}
    assert [field for field, *_ in compare(found)] == ["variables.ATEN_CPU_CAPABILITY"]


@pytest.mark.parametrize(
    ("cause", "follows", "group"),
    [
        ("build", "build_text", "numerics"),
        ("build", "onednn", "numerics"),
        ("devices", "multiprocessors", "gpu"),
        ("devices", "device_settings", "gpu"),
    ],
)
def test_what_another_build_or_another_device_brings_is_not_listed_again(cause, follows, group):
    facts = {cause: "a", follows: "a"}
    one = {**CAPTURE, group: facts}
    two = {**CAPTURE, group: {**facts, follows: "b"}}
    three = {**CAPTURE, group: {cause: "b", follows: "b"}}
    names = [
        [d.field for d in compare_captures(one, other, Level.STRICT)] for other in (two, three)
    ]
    assert names == [[f"{group}.{follows}"], [f"{group}.{cause}"]]


@pytest.mark.parametrize(
    "found",
    [
        change("numerics", build="not_read"),
        {**CAPTURE, "installed": "not_read"},
        {name: group for name, group in CAPTURE.items() if name != "cpu"},
        change("os") | {"os": {"system": "Linux"}},
    ],
    ids=["fact", "group", "no such group", "no such fact"],
)
def test_what_one_side_did_not_read_is_no_difference_and_is_named(found):
    assert compare(found) == []
    assert len(find_unread(CAPTURE, found)) in (1, 2)
    assert find_unread(CAPTURE, CAPTURE) == []


def test_an_edited_package_that_computes_affects_bits():
    assert compare(change("installed", torch=["torch/optim/adamw.py"])) == [
        ("installed.torch", [], ["torch/optim/adamw.py"], "yes")
    ]


def with_origins(origin, *, python="3.13.0", torch="2.9"):
    return {
        **CAPTURE,
        "python": {"version": python, "build": f"of {python}"},
        "packages": {**CAPTURE["packages"], "torch": torch},
        "origins": {"torch": origin},
    }


def fields(a, b):
    return [one.field for one in compare_captures(a, b, Level.STRICT)]


def test_another_python_takes_other_wheels_and_is_one_difference():
    a = with_origins("wheel cp313-cp313-manylinux_2_28_x86_64")
    b = with_origins("wheel cp311-cp311-manylinux_2_28_x86_64", python="3.11.7")
    assert fields(a, b) == ["python.version"]


def test_another_version_has_another_origin_and_is_one_difference():
    a, b = with_origins("editable"), with_origins("wheel py3-none-any", torch="2.10")
    assert fields(a, b) == ["packages.torch"]


def test_another_wheel_for_the_same_python_is_named():
    a = with_origins("wheel cp313-cp313-manylinux_2_28_x86_64")
    assert fields(a, with_origins("wheel cp313-cp313-linux_x86_64")) == ["origins.torch"]


def test_another_kind_of_origin_is_named_beside_another_python():
    a = with_origins("wheel cp313-cp313-manylinux_2_28_x86_64")
    assert fields(a, with_origins("editable", python="3.11.7")) == [
        "python.version",
        "origins.torch",
    ]


def test_what_a_library_sets_itself_is_nobodys_choice():
    found = change("variables", KMP_DUPLICATE_LIB_OK="True")
    assert compare(found) == []
    found = change("variables", KMP_DUPLICATE_LIB_OK="False")
    assert compare(found) == [("variables.KMP_DUPLICATE_LIB_OK", None, "False", "yes")]
