"""The published schema takes every capture that cxr writes, and refuses broken ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cxr.determinism.levels import Level
from cxr.environment.facts import NAMED_GROUPS, SCHEMA, find_levels
from support.program import read_answer, run_cxr
from support.recipes import vectors
from support.runs import HEAVY, FinishedRuns

PAGES = Path(__file__).parents[2] / "docs" / "formats"
Capture = dict[str, Any]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads((PAGES / "environment.schema.json").read_bytes())


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def shallow() -> Capture:
    return read_answer(run_cxr("env", "capture", "--json", blocked=HEAVY))


@pytest.fixture(scope="module")
def deep() -> Capture:
    return read_answer(run_cxr("env", "capture", "--deep", "--json", "-q"))


def test_it_names_the_schema_that_captures_have(schema: dict[str, Any], shallow: Capture):
    assert schema["title"] == schema["properties"]["schema"]["const"] == SCHEMA
    assert shallow["schema"] == SCHEMA


def test_captures_of_each_depth_are_valid(
    validator: jsonschema.Draft202012Validator, shallow: Capture, deep: Capture
):
    assert list(validator.iter_errors(shallow)) == []
    assert list(validator.iter_errors(deep)) == []


def test_what_a_run_records_is_valid(
    validator: jsonschema.Draft202012Validator, finished_run: FinishedRuns
):
    recorded = json.loads((finished_run(vectors()).directory / "env.json").read_bytes())
    assert recorded["numerics"]["threads"]
    assert list(validator.iter_errors(recorded)) == []


def test_what_is_not_on_every_machine_is_valid(
    validator: jsonschema.Draft202012Validator, deep: Capture
):
    other = copy.deepcopy(deep)
    other["gpu"] |= {
        "devices": [{"name": "NVIDIA H200", "capability": "9.0"}],
        "multiprocessors": [132],
        "device_settings": [{"memory_bytes": 150_000_000_000, "ecc": True, "mig": None}],
        "cudnn": 92600,
        "nccl": "2.30.7",
        "cublas": "13.4.1.3",
        "driver": "570.1",
    }
    other["os"] |= {"container_image": f"sha256:{'0' * 64}", "libc": None}
    other["cpu"] |= {"cores_quota": 1.5, "memory_limit_bytes": 2**30, "cores_available": None}
    other["code"] |= {"commit": None, "branch": None, "dirty": None}
    other["origins"] = {"torch": "wheel"}
    other["images"] = {
        "decoders": None,
        "canaries": None,
        "canaries_changed": None,
        "resizing": None,
    }
    other["imported"] = {"torch": "nowhere", "timm": f"elsewhere sha256:{'0' * 64}"}
    other["installed"] = {"torch": ["torch/optim/adamw.py"]}
    other["lock"] = {
        "digest": f"sha256:{'0' * 64}",
        "differs": {"torch": {"locked": "2.15.0", "installed": None}},
    }
    assert list(validator.iter_errors(other)) == []
    for digest in (other["lock"]["digest"], "not_read"):
        lock = {"digest": digest, "differs": "not_read"}
        assert list(validator.iter_errors({**other, "lock": lock})) == []
    for installed in ("not_read", {}):
        assert list(validator.iter_errors({**other, "installed": installed})) == []


def spoil(group: str, **facts: Any) -> Callable[[Capture], Capture]:
    """Return a change of some facts of one group; ``...`` takes a fact away."""

    def change(capture: Capture) -> Capture:
        changed = {**capture[group], **facts} if isinstance(capture.get(group), dict) else facts
        kept = {name: value for name, value in changed.items() if value is not ...}
        return {**capture, group: kept}

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda capture: {**capture, "schema": "cxr.environment/1"},
        lambda capture: {**capture, "host": {"name": "planted"}},
        lambda capture: {name: group for name, group in capture.items() if name != "cpu"},
        lambda capture: {**capture, "cpu": "not_read"},
        lambda capture: {**capture, "switches": "unknown"},
        spoil("python", version=...),
        spoil("python", version=None),
        spoil("os", host="planted"),
        spoil("os", container_image="latest"),
        spoil("cpu", cores="2"),
        spoil("cpu", cores_quota=0),
        spoil("cpu", instruction_sets="avx2"),
        spoil("gpu", devices=[{"name": "A", "capability": "9.0", "uuid": "planted"}]),
        spoil("gpu", devices="unknown"),
        spoil("gpu", device_settings=[{"memory_bytes": 1}]),
        spoil("numerics", build="0123"),
        spoil("numerics", threads={"libgomp": 0}),
        spoil("numerics", libraries=[{"prefix": "libgomp", "filepath": "/planted"}]),
        spoil("switches", a=[1]),
        spoil("variables", OMP_NUM_THREADS=1),
        spoil("packages", torch=None),
        spoil("arithmetic", version=None),
        spoil("arithmetic", version=0),
        spoil("code", digest=None),
        spoil("code", commit="main"),
        spoil("code", author="planted"),
        spoil("images", canaries={"png": 1}),
        spoil("images", decoders={"pil": "13"}),
        spoil("origins", torch=["wheel"]),
        spoil("imported", torch="/planted/torch"),
        spoil("installed", torch="torch/optim/adamw.py"),
        spoil("lock", digest="not_read", differs={}),
        spoil("lock", digest=None, differs={"torch": {"locked": "1"}}),
    ],
)
def test_a_broken_capture_is_refused(
    change: Callable[[Capture], Capture],
    validator: jsonschema.Draft202012Validator,
    deep: Capture,
):
    assert list(validator.iter_errors(change(copy.deepcopy(deep)))) != []


def list_facts(schema: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield every fact of a fixed group with the levels that the schema says it affects."""
    for group, description in schema["properties"].items():
        if group not in ("schema", "code", "lock", "switches", *NAMED_GROUPS):
            for name, fact in description["properties"].items():
                yield f"{group}.{name}", fact["x-affects-bits"]


def test_levels_are_those_that_cxr_goes_by(schema: dict[str, Any]):
    facts = dict(list_facts(schema))
    assert len(facts) > 30
    assert facts == {name: [str(level) for level in find_levels(name)] for name in facts}
    switches = [str(level) for level in find_levels("switches.cudnn.benchmark")]
    assert schema["properties"]["switches"]["x-affects-bits"] == switches
    assert {level for levels in facts.values() for level in levels} == {*map(str, Level)}
