"""The workflows that ``docs/ci.md`` offers for copying."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def read_workflows() -> dict[str, dict[str, Any]]:
    """Return every workflow of the page by its name."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    return {workflow["name"]: workflow for workflow in map(yaml.safe_load, blocks)}


def read_project_workflow(name: str) -> dict[str, Any]:
    """Return a workflow of the project itself."""
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))


def list_steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def find_cxr_commands(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of ``cxr`` in the script of a step."""
    for command in re.split(r"\n|&&|;", text):
        words = shlex.split(command)
        if "cxr" in words:
            yield words[words.index("cxr") + 1 :]
