"""``cxr env``."""

from __future__ import annotations

import typer

from cxr.cli import env_audit, env_capture, env_verify

app = typer.Typer(help="Capture the environment, compare and audit it.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Capture what a run depends on besides its recipe, compare and audit it."""


app.command("capture")(env_capture.capture)
app.command("verify")(env_verify.verify)
app.command("audit")(env_audit.audit)
