"""The workflows of ``docs/ci.md`` can be copied: they parse, and their commands exist."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from cxr.cli.app import app
from support.ci_page import (
    ROOT,
    find_cxr_commands,
    list_steps,
    read_project_workflow,
    read_workflows,
)

WORKFLOWS = read_workflows()


def parse(arguments: list[str]) -> Any:
    """Parse a command line as the program would, and run nothing."""
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while getattr(command, "commands", None):
        command = command.commands[rest.pop(0)]
    return command.make_context(" ".join(arguments), rest)


def list_commands() -> list[list[str]]:
    steps = [step for workflow in WORKFLOWS.values() for step in list_steps(workflow)]
    return [found for step in steps for found in find_cxr_commands(step.get("run", ""))]


def test_the_page_has_its_three_workflows():
    assert [*WORKFLOWS] == ["environment", "repeat", "bits"]
    for workflow in WORKFLOWS.values():
        # YAML's word for true is "on" as well.
        assert workflow[True]
        assert workflow["permissions"] == {"contents": "read"}
        assert all(job["runs-on"] for job in workflow["jobs"].values())
        assert all(("uses" in step) != ("run" in step) for step in list_steps(workflow))


@pytest.mark.parametrize("arguments", list_commands(), ids=" ".join)
def test_a_command_of_the_page_is_one_of_the_program(arguments: list[str]):
    assert parse(arguments).params


def test_what_a_reader_is_promised_is_there():
    words = [" ".join(arguments) for arguments in list_commands()]
    for begin in ("env capture --out", "env verify uv.lock", "repeat -n 3", "repeat -n 1"):
        assert [word for word in words if word.startswith(begin)], begin


@pytest.mark.parametrize(
    "arguments",
    [["repeat", "--config", "x", "--agains", "y"], ["env", "verify"], ["env", "verfy", "x"]],
)
def test_a_slip_in_a_command_would_be_seen(arguments: list[str]):
    # Click's errors under typer's own name of it, or no such command.
    with pytest.raises(Exception, match=r"--agains|[Mm]issing|verfy"):
        parse(arguments)


def test_actions_are_pinned_as_in_the_workflow_of_the_project():
    pinned = {
        step["uses"] for step in list_steps(read_project_workflow("ci.yml")) if "uses" in step
    }
    offered = {
        step["uses"]
        for workflow in WORKFLOWS.values()
        for step in list_steps(workflow)
        if "uses" in step
    }
    assert offered <= pinned


def test_the_project_has_the_gate_that_it_recommends():
    assert read_project_workflow("bits.yml") == WORKFLOWS["bits"]


def list_uv_calls(workflow: dict[str, Any]) -> list[list[str]]:
    """Return the words of each call of uv, job by job in order."""
    scripts = [step.get("run", "") for step in list_steps(workflow)]
    calls = [shlex.split(call) for text in scripts for call in re.split(r"\n|&&|;", text)]
    return [words for words in calls if words[:1] == ["uv"]]


def name_project(words: list[str]) -> str:
    return words[words.index("--project") + 1] if "--project" in words else "."


@pytest.mark.parametrize("name", [*WORKFLOWS, "audit"])
def test_what_is_looked_at_is_what_the_lock_left(name: str):
    """Otherwise ``uv run`` mends the environment just before it is looked at."""
    workflow = WORKFLOWS.get(name)
    if workflow is None:
        workflow = {"jobs": {name: read_project_workflow("ci.yml")["jobs"][name]}}
    synced: set[str] = set()
    for words in list_uv_calls(workflow):
        project = name_project(words)
        if words[1] == "sync":
            assert "--locked" in words
            synced.add(project)
        else:
            assert words[1:3] == ["run", "--no-sync"]
            assert project in synced
    assert synced


def test_only_the_first_commands_of_the_readme_sync_by_themselves():
    calls = list_uv_calls(read_project_workflow("ci.yml"))
    syncing = [words for words in calls if words[1] == "run" and words[2] != "--no-sync"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(syncing) == 2
    assert all(" ".join(words) in readme for words in syncing)
