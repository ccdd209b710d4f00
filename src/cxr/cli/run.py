"""``cxr run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_note
from cxr.plain_text import count

CONTEXT = {"allow_interspersed_args": False}
"""What stands behind the program's name is the program's, options too."""


def run(
    command: Annotated[
        list[str],
        typer.Argument(metavar="CMD...", help="The command, behind --.", show_default=False),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="GLOB", help="Files it reads; they must not change."),
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option("--out", metavar="GLOB", help="Files it writes.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the record.")] = "command",
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="DIR", help="The record; must be new or empty."),
    ] = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run any command, and record what it was given and what it left.

    Its exit code is the answer: 128+N if signal N ended it, 3 if an input
    changed or an output is missing, 130 if it was interrupted. No shell is
    involved. With --json its stdout goes to stderr.

    Example: cxr run --in 'data/*.csv' --out fit.json -- python fit.py
    """
    from cxr.integrations.command import record_command

    done = record_command(
        command,
        inputs=inputs or [],
        outputs=outputs or [],
        name=name,
        out=record,
        stdout_to_stderr=json,
    )
    manifest = done.manifest
    if json:
        keys = ("name", "status", "command", "recipe", "recipe_digest", "outcome", "outputs")
        print_json({"run": str(done.directory), **{key: manifest[key] for key in keys}})
    elif not quiet:
        # On stderr: stdout is the command's.
        given, left = (count(len(manifest[f"{one}s"]), one) for one in ("input", "output"))
        print_note(f"{manifest['status']}: {done.directory}, {given}, {left}")
    if done.exit_code:
        raise typer.Exit(done.exit_code)
