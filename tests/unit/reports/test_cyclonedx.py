from __future__ import annotations

import copy
import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from cxr.environment.capture import capture_environment
from cxr.reports.cyclonedx import render_cyclonedx

DIGEST = "ab" * 32


@pytest.fixture(scope="module")
def real():
    return capture_environment()


@pytest.fixture
def small():
    """A capture with one package of each kind."""
    return {
        "schema": "cxr.environment/3",
        "python": {"version": "3.13.0", "hash_randomization": False},
        "cpu": {"cores": 2, "model": None, "instruction_sets": ["avx", "fma"]},
        "switches": "not_read",
        "packages": {"cxr": "0.1.0", "forge": "1.0", "torch": "2.9+cu126"},
        "origins": {"cxr": "editable", "forge": "git abc", "torch": "wheel py3-none-any"},
        "installed": {"cxr": [], "forge": [], "torch": ["torch/a.py was changed", "x is missing"]},
        "code": {"version": "0.1.0", "digest": f"sha256:{DIGEST}"},
    }


def find_faults(text):
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text, all_errors=True)
    return [] if found is None else list(found)


def by_name(properties):
    return [(one["name"], one["value"]) for one in properties]


def test_the_librarys_own_strict_validator_accepts_it(real, small):
    assert find_faults(render_cyclonedx(real)) == []
    assert find_faults(render_cyclonedx(small)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda bill: bill["components"][0].pop("name"),
        lambda bill: bill["components"][0].update(type="thing"),
        lambda bill: bill.update(serialNumber="7"),
        lambda bill: bill["metadata"].update(unheard_of=1),
        lambda bill: bill["metadata"]["component"]["hashes"][0].update(content="short"),
        lambda bill: bill["components"].append(bill["components"][0]),
    ],
)
def test_the_validator_does_find_what_is_wrong(small, spoil):
    bill = json.loads(render_cyclonedx(small))
    spoil(bill)
    assert find_faults(json.dumps(bill))


def test_it_describes_cxr_and_every_other_distribution(small):
    bill = json.loads(render_cyclonedx(small))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"] == {
        "bom-ref": "cxr@0.1.0",
        "hashes": [{"alg": "SHA-256", "content": DIGEST}],
        "name": "cxr",
        "properties": [{"name": "cxr:origin", "value": "editable"}],
        "type": "application",
        "version": "0.1.0",
    }
    assert [(one["name"], one["type"], one["purl"]) for one in bill["components"]] == [
        ("forge", "library", "pkg:generic/forge@1.0"),
        ("torch", "library", "pkg:pypi/torch@2.9%2Bcu126"),
    ]
    assert by_name(bill["components"][1]["properties"]) == [
        ("cxr:origin", "wheel py3-none-any"),
        ("cxr:problem", "torch/a.py was changed"),
        ("cxr:problem", "x is missing"),
    ]


def test_facts_are_properties(small):
    bill = json.loads(render_cyclonedx(small))
    assert by_name(bill["metadata"]["properties"]) == [
        ("cxr:code.digest", f"sha256:{DIGEST}"),
        ("cxr:code.version", "0.1.0"),
        ("cxr:cpu.cores", "2"),
        ("cxr:cpu.instruction_sets", '["avx","fma"]'),
        ("cxr:cpu.model", "null"),
        ("cxr:python.hash_randomization", "false"),
        ("cxr:python.version", "3.13.0"),
        ("cxr:schema", "cxr.environment/3"),
        ("cxr:switches", "not_read"),
    ]


def test_the_same_capture_gives_the_same_bytes_and_another_one_another_number(real):
    text = render_cyclonedx(real)
    assert render_cyclonedx(copy.deepcopy(real)) == text
    assert "timestamp" not in json.loads(text)["metadata"]
    # A graph without edges would say that nothing needs anything.
    assert "dependencies" not in json.loads(text)
    other = copy.deepcopy(real)
    other["python"]["version"] = "3.99"
    bills = [json.loads(text), json.loads(render_cyclonedx(other))]
    assert bills[0]["serialNumber"] != bills[1]["serialNumber"]


def test_every_package_of_this_environment_is_in_it(real):
    bill = json.loads(render_cyclonedx(real))
    listed = {one["name"]: one["version"] for one in bill["components"]}
    assert listed | {"cxr": real["code"]["version"]} == real["packages"]


def test_a_capture_of_the_first_release_has_a_bill_too(small):
    del small["origins"], small["installed"], small["switches"]
    small["schema"] = "cxr.environment/1"
    small["code"]["digest"] = "not_read"
    text = render_cyclonedx(small)
    assert find_faults(text) == []
    assert "hashes" not in json.loads(text)["metadata"]["component"]
