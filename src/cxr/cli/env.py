"""``cxr env``: the group of commands about the environment, each in a file of its own."""

from __future__ import annotations

import typer

from cxr.cli import env_capture

app = typer.Typer(help="Capture the environment.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Capture what a run depends on besides its recipe."""


app.command("capture")(env_capture.capture)
