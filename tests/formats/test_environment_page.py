"""The environment's page tells of every fact what the schema and the program do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.program import read_answer, run_cxr
from support.runs import HEAVY

PAGES = Path(__file__).parents[2] / "docs" / "formats"
_ROW = re.compile(r"^\| `(\w+\.\w+)` \| .* \| (all|torch) \| ([^|]+) \|$", re.MULTILINE)
_LEVELS = {"none": [], "warn, strict": ["warn", "strict"], "portable": ["portable"]}


@pytest.fixture(scope="module")
def page() -> str:
    return (PAGES / "environment.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads((PAGES / "environment.schema.json").read_bytes())


@pytest.fixture(scope="module")
def facts(schema: dict[str, Any]) -> dict[str, list[str]]:
    """Every fact of the schema that has levels of its own."""
    return {
        f"{group}.{name}": fact["x-affects-bits"]
        for group, described in schema["properties"].items()
        for name, fact in described.get("properties", {}).items()
        if "x-affects-bits" in fact
    }


def test_each_fact_stands_there_with_its_levels(page: str, facts: dict[str, list[str]]):
    levels = {**_LEVELS, "every level": ["warn", "strict", "portable"]}
    assert {name: levels[told] for name, _, told in _ROW.findall(page)} == facts


def test_it_says_which_facts_only_torch_can_tell(page: str):
    shallow = read_answer(run_cxr("env", "capture", "--json", blocked=HEAVY))
    reads = {name: who for name, who, _ in _ROW.findall(page)}
    unread = {
        f"{group}.{name}"
        for group in ("gpu", "numerics")
        for name, fact in shallow[group].items()
        if fact == "not_read"
    }
    # The page says where the driver is not read by all.
    assert unread - {"gpu.driver"} == {name for name, who in reads.items() if who == "torch"}


def test_every_group_is_told_of(page: str, schema: dict[str, Any]):
    for group in set(schema["required"]) - {"schema"}:
        assert f"`{group}" in page


def test_the_example_is_a_capture(page: str, schema: dict[str, Any]):
    example = json.loads(re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)[-1])
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(example)) == []
    assert list(example) == list(schema["required"])
