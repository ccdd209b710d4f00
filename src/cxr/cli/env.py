"""``cxr env``."""

from __future__ import annotations

import json as json_text
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cxr.cli import env_audit, options
from cxr.cli.console import print_json, print_line, print_note
from cxr.interruption import held


class CaptureFormat(StrEnum):
    """How a capture is written."""

    JSON = "json"
    CYCLONEDX = "cyclonedx"


app = typer.Typer(help="Capture the environment.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Capture what a run depends on besides its recipe."""


@app.command("capture")
def capture(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write as JSON.")] = None,
    *,
    format_: Annotated[
        CaptureFormat, typer.Option("--format", help="The capture, or a bill of materials.")
    ] = CaptureFormat.JSON,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record what a run depends on besides its recipe.

    Python, system, processor, packages, code and image decoders; torch is not imported.

    Example: cxr env capture --out env.json
    """
    from cxr.atomic import write_bytes
    from cxr.digests.canonical import canonical_json
    from cxr.environment.capture import capture_environment

    found = capture_environment()
    content = canonical_json(found) + b"\n"
    bill = None
    if format_ is CaptureFormat.CYCLONEDX:
        from cxr.reports.cyclonedx import render_cyclonedx

        bill = render_cyclonedx(found)
        content = bill.encode("ascii")
    if out is not None:
        with held():
            write_bytes(out, content)
        if not quiet:
            print_note(f"written: {out}")
    if bill is not None and (json or out is None):
        print_json(json_text.loads(bill))
    elif json:
        print_json(found)
    elif out is None and not quiet:
        show_environment(found)
    if found["images"]["canaries_changed"]:
        changed = ", ".join(found["images"]["canaries_changed"])
        print_note(f"note: images decode to other pixels here than expected: {changed}")


def show_environment(found: dict[str, Any]) -> None:
    """Print the facts that a person looks for first."""
    packages = found["packages"]
    shown = {
        "python": f"{found['python']['version']} ({found['python']['compiler']})",
        "system": f"{found['os']['system']} {found['os']['release']}, {found['os']['libc']}",
        "container": found["os"]["container"] or "none seen",
        "processor": f"{found['cpu']['model']}, {found['cpu']['machine']}",
        "cores": f"{found['cpu']['cores_available']} of {found['cpu']['cores']}",
        "torch": packages.get("torch", "not installed"),
        "timm": packages.get("timm", "not installed"),
        "numpy": packages.get("numpy", "not installed"),
        "pillow": f"{packages.get('pillow')}, libjpeg-turbo "
        f"{found['images']['decoders']['libjpeg_turbo']}",
        "code": f"cxr {found['code']['version']}, commit {found['code']['commit'] or 'unknown'}"
        f"{', with changes' if found['code']['dirty'] else ''}",
        "gpu": found["gpu"]["devices"],
    }
    for name, value in shown.items():
        print_line(f"{name:<11}{value}")
    print_line(f"{'packages':<11}{len(packages)}; --json or --out has all facts")


app.command("audit")(env_audit.audit)
