"""``cxr data``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_table, shown_progress
from cxr.errors import ExitCode
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.data.checks.report import DataReport

app = typer.Typer(
    help="Verify data sets, prepare them, and draw synthetic ones.", no_args_is_help=True
)


@app.callback()
def group() -> None:
    """Verify data sets, prepare them, and draw synthetic ones."""


@app.command("synth")
def synth(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory, new or empty.")],
    seed: Annotated[int, typer.Option(min=0, help="Root of the drawings' streams.")] = 7,
    size: Annotated[int, typer.Option(min=32, max=1024, help="Height and width in px.")] = 96,
    train: Annotated[int, typer.Option(min=4, max=100_000, help="Training images.")] = 48,
    val: Annotated[int, typer.Option(min=4, max=100_000, help="Validation images.")] = 16,
    test: Annotated[int, typer.Option(min=4, max=100_000, help="Test images.")] = 16,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw a set of synthetic radiographs.

    In the layout and names of the Kaggle pneumonia set; the same seed gives the same bytes. If it
    is stopped half-way, nothing is left.

    Example: cxr data synth data/drawn --seed 1 --train 200
    """
    from cxr.data.drawing.radiographs import SynthPlan, write_dataset

    plan = SynthPlan(seed=seed, size_px=size, train=train, val=val, test=test)
    with shown_progress(quiet=quiet) as progress:
        paths = write_dataset(
            directory,
            plan,
            report=lambda done, total: progress.advance("drawing images", done, total),
        )
    if json:
        print_json({"directory": str(directory), "images": len(paths), "paths": paths})
    else:
        print_line(f"drawn: {len(paths)} images in {directory}")


@app.command("prepare")
def prepare(
    config: options.Config,
    overrides: options.Set = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Decode the images of a config into the decode cache.

    Training does so by itself; this is for doing it ahead of time. If it is stopped, it goes on
    where it was when it is started again.

    Example: cxr data prepare --config configs/sample.yaml
    """
    from cxr.config.load import load_config
    from cxr.data.prepare import prepare_data

    data = load_config(config, overrides or ()).data
    with shown_progress(quiet=quiet) as progress:
        prepared = prepare_data(data, progress=progress)
    if json:
        print_json(prepared.to_json())
        return
    verdict = "prepared" if prepared.decoded else "ready already"
    print_line(f"{verdict}: {prepared.images:,} images, {prepared.bytes:,} bytes")
    print_line(f"  cache {show_plainly(prepared.cache)}")


@app.command("verify")
def verify(
    target: Annotated[
        Path,
        typer.Argument(metavar="TARGET", help="A data set's directory, a config, or a .dvc file."),
    ],
    lock: Annotated[
        Path | None, typer.Option(help="A data.lock.json to compare with, such as a run's.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read and decode all again, whatever is remembered.")
    ] = False,
    bytes_only: Annotated[
        bool, typer.Option("--bytes-only", help="Read and hash all bytes, and decode nothing.")
    ] = False,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check the images and splits of a data set.

    Every image is decoded; leaks between splits and changes since a lock are named. What is known
    of files that the system says did not change is remembered.

    Example: cxr data verify data/sample --lock runs/a/data.lock.json
    """
    from cxr.data.checks.unchanged import verify_unless_unchanged

    def look() -> DataReport:
        from cxr.data.checks.dvc_file import SUFFIX, verify_dvc_file
        from cxr.data.checks.verify import verify_target

        if target.suffix == SUFFIX:
            return verify_dvc_file(target, progress=progress)
        return verify_target(target, lock=lock, full=full, bytes_only=bytes_only, progress=progress)

    with shown_progress(quiet=quiet) as progress:
        if target.suffix == ".dvc":
            report = look()
        elif bytes_only:
            report = look()
            progress.note("only bytes were looked at: no image was decoded")
        else:
            report = verify_unless_unchanged(
                target, look, lock=lock, is_used=not full, progress=progress
            )
    if json:
        print_json(report.to_json())
    else:
        print_line(f"{report.verdict}: {report.samples:,} images, {report.bytes:,} bytes")
        rows = [
            [problem.kind, problem.severity, ", ".join(problem.paths[:3]), problem.detail]
            for problem in report.problems
        ]
        if rows:
            print_table("problems", ["kind", "severity", "paths", "detail"], rows[:20])
        if len(rows) > 20:  # noqa: PLR2004 - a screenful
            print_line(f"and {len(rows) - 20} more; --json has all of them")
    if report.verdict != "verified":
        raise typer.Exit(ExitCode.DIFFERS)
