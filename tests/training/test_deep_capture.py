"""A deep capture reads the same of this machine as a run does that trains on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cxr.determinism.controls import read_controls
from cxr.determinism.levels import Level
from cxr.environment.comparison import compare_captures, find_unread
from support.program import read_answer, run_cxr
from support.recipes import images, vectors
from support.runs import FinishedRuns, Run


@pytest.fixture(scope="module")
def deep() -> dict[str, Any]:
    """The environment as ``cxr env capture --deep`` tells of it."""
    return read_answer(run_cxr("env", "capture", "--deep", "--json", "-q"))


@pytest.fixture(params=["vectors", "images"])
def run(request: pytest.FixtureRequest, finished_run: FinishedRuns, radiographs: Path) -> Run:
    return finished_run(vectors() if request.param == "vectors" else images(radiographs))


def test_the_groups_that_torch_tells_of_are_those_of_a_run(run: Run, deep: dict[str, Any]):
    recorded = json.loads((run.directory / "env.json").read_bytes())
    assert recorded["numerics"]["threads"].keys() == deep["numerics"]["threads"].keys()
    for capture in (recorded, deep):
        assert "not_read" not in (*capture["gpu"].values(), *capture["numerics"].values())
    without_threads = [{**capture["numerics"], "threads": None} for capture in (recorded, deep)]
    assert without_threads[0] == without_threads[1]
    assert recorded["gpu"] == deep["gpu"]


def test_a_run_made_here_differs_in_nothing_that_affects_bits(run: Run, deep: dict[str, Any]):
    recorded = json.loads((run.directory / "env.json").read_bytes())
    differences = compare_captures(recorded, deep, Level.STRICT)
    acting = {one.field for one in differences if one.affects_bits != "no"}
    # The library that counts threads sets this when it is imported, to any process that trains.
    assert acting <= {"variables.KMP_DUPLICATE_LIB_OK"}
    assert find_unread(recorded, deep) == []


def test_every_switch_is_read_that_a_run_reads_back(run: Run, deep: dict[str, Any]):
    names = {name for name in read_controls() if not name.isupper()} - {"torch.cpu_capability"}
    assert deep["switches"].keys() == names
    controls = run.manifest["controls"]
    differing = {name for name, value in deep["switches"].items() if controls[name] != value}
    # What the recipe asks for: the level, and the threads where they are not one.
    assert differing == {"torch.deterministic_warn_only"}
