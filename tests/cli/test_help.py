"""Every command explains itself, quickly, and does not change its options by accident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from support.commands import COMMANDS
from support.program import read_error, run_cxr
from support.runs import HEAVY

GOLDEN = Path(__file__).with_name("golden") / "commands.txt"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example_and_needs_no_heavy_library(command: list[str]):
    finished = run_cxr(*command, "--help", blocked=[*HEAVY, "pydantic", "rich", "PIL"])
    assert (finished.returncode, finished.stderr) == (0, "")
    assert f"Example: cxr {' '.join(command)}" in finished.stdout
    assert "--json" in finished.stdout
    assert "-q, --quiet" in finished.stdout
    assert max(map(len, finished.stdout.splitlines())) <= 80


def test_the_program_itself_says_where_to_begin():
    finished = run_cxr("--help")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "Begin with: cxr repeat -n 3 --config configs/sample.yaml" in " ".join(
        finished.stdout.split()
    )
    assert run_cxr().stdout == finished.stdout
    assert run_cxr("-h").stdout == finished.stdout


def test_the_old_name_of_env_capture_works_and_is_not_shown():
    assert "env-capture" not in run_cxr("--help").stdout
    assert run_cxr("env-capture", "--help").returncode == 0


@pytest.mark.parametrize("group", ["env", "data"])
def test_a_group_without_a_command_shows_its_help(group: str):
    finished = run_cxr(group)
    shown = run_cxr(group, "--help").stdout
    assert finished.returncode == 2
    if finished.stdout:
        assert (finished.stdout, finished.stderr) == (shown, "")
    else:
        read_error(finished, code=2)


def test_version():
    import cxr

    finished = run_cxr("--version", blocked=HEAVY)
    assert (finished.returncode, finished.stdout) == (0, f"cxr {cxr.__version__}\n")


def test_commands_and_options_are_those_that_were_agreed_on():
    # A changed line here is a change that users feel: edit the golden file by hand, and say so.
    from cxr.cli.app import app

    found = "".join(f"{line}\n" for line in describe(typer.main.get_command(app), "cxr"))
    assert found == GOLDEN.read_text(encoding="utf-8")


def describe(command: object, path: str) -> Iterator[str]:
    """Yield a line for each command and each of its arguments and options."""
    hidden = " (hidden)" if command.hidden else ""
    yield f"{path}{hidden}"
    for parameter in command.params:
        names = (
            "/".join(parameter.opts)
            if parameter.opts[0].startswith("-")
            else (parameter.metavar or parameter.name)
        )
        marks = [
            *(["flag"] if getattr(parameter, "is_flag", False) else []),
            *(["required"] if parameter.required else []),
            *(["repeatable"] if getattr(parameter, "multiple", False) else []),
        ]
        yield f"  {names}" + (f" ({', '.join(marks)})" if marks else "")
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from describe(child, f"{path} {name}")
