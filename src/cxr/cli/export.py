"""``cxr export``."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, shown_progress

if TYPE_CHECKING:
    from cxr.release.export_run import Export

_COLUMNS: Final = 80


def export(
    run: options.Run,
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Where it goes; new or empty.", show_default=False),
    ],
    *,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Write model.onnx too; needs the extra onnx.")
    ] = False,
    license_name: Annotated[
        str | None,
        typer.Option("--license", metavar="ID", help="The licence that the card names."),
    ] = None,
    data: options.Data = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Export a run's model with its card, so that timm loads it without cxr.

    The exported model is loaded with timm and held against the run, image by image.

    Example: cxr export runs/sample-20261121T120000Z-0123abcd models/sample
    """
    from cxr.release.export_run import export_run

    with shown_progress(quiet=quiet) as progress:
        found = export_run(
            run, directory, onnx=onnx, license_name=license_name, root=data, progress=progress
        )
    if json:
        print_json(_describe(run, found))
    elif not quiet:
        _show(found)


def _describe(run: Path, found: Export) -> dict[str, Any]:
    record = found.record
    return {
        "run": str(run),
        "export": str(found.directory),
        "export_digest": record["export_digest"],
        "manifest_digest": record["run"]["manifest_digest"],
        "outcome_digest": record["run"]["outcome_digest"],
        "timm": record["timm"],
        "onnx": record["onnx"],
        "files": record["files"],
    }


def _show(found: Export) -> None:
    from cxr.release.card_agreement import describe_timm, measure_in_words

    record = found.record
    print_line(f"exported: {found.directory}")
    print_line(f"  outcome  {record['run']['outcome_digest']}")
    print_line(f"  export   {record['export_digest']}")
    _say("timm", describe_timm(record["timm"]["agreement"], found.config, record["timm"]["split"]))
    if record["onnx"] is not None:
        _say("onnx", f"opset {record['onnx']['opset']}. {measure_in_words(record['onnx'])}")
    _say("files", ", ".join(sorted([*record["files"], "export.json"])))


def _say(name: str, text: str) -> None:
    lines = textwrap.wrap(text, _COLUMNS - 11)
    for place, line in enumerate(lines):
        print_line(f"  {name if not place else '':<9}{line}")
