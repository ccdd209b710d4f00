"""``cxr data``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_note, shown_progress
from cxr.cli.data_names import names
from cxr.errors import ExitCode, UsageError
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.data.checks.report import DataReport

app = typer.Typer(
    help="Verify data sets, lock them, prepare them, and draw synthetic ones.",
    no_args_is_help=True,
)

_TARGET: Final = typer.Argument(
    metavar="TARGET", help="A directory, an npz or CSV file, a config, a lock, or a .dvc file."
)
_LOCKED: Final = typer.Argument(
    metavar="TARGET", help="A directory, an npz or CSV file, a config, or a lock."
)


app.command("names")(names)


@app.callback()
def group() -> None:
    """Verify data sets, lock them, prepare them, and draw synthetic ones."""


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

    Training does so by itself; this is for doing it ahead of time. A set that training would refuse
    is refused here, and nothing is decoded. If it is stopped, it goes on where it was when it is
    started again.

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
    target: Annotated[Path, _TARGET],
    overrides: options.Set = None,
    lock: Annotated[
        Path | None,
        typer.Option(help="A lock to compare with, such as a run's; default: the set's own."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read and decode all again, whatever is remembered.")
    ] = False,
    bytes_only: Annotated[
        bool, typer.Option("--bytes-only", help="Read and hash all bytes, and decode nothing.")
    ] = False,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Let a warning differ as well.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check the images and splits of a data set.

    Every image is decoded; leaks between splits and changes since it was locked are named. The lock
    is the one that the config names, or lies beside TARGET.
    What is known of files that the system says did not change is remembered.

    Example: cxr data verify data/sample --lock runs/a/data.lock.json
    """
    changes = overrides or ()
    if target.suffix == ".dvc" and (lock or full or bytes_only or changes):
        raise UsageError(
            "of a .dvc file all bytes are hashed, against the file itself alone",
            where=str(target),
            hint="leave out --lock, --full, --bytes-only and --set, or name the set in its place",
        )
    from cxr.data.checks.unchanged import verify_unless_unchanged

    def look() -> DataReport:
        from cxr.data.checks.verify import verify_target

        return verify_target(
            target,
            overrides=changes,
            lock=lock,
            strict=strict,
            bytes_only=True,
            progress=progress,
        )

    def look_at_all() -> DataReport:
        from cxr.data.caches.first_look import prepare_inspectors

        # Started before the next import, which takes as long as they do to get ready.
        with prepare_inspectors(target, full=full) as inspectors:
            from cxr.data.checks.verify import verify_target

            return verify_target(
                target,
                overrides=changes,
                lock=lock,
                strict=strict,
                full=full,
                progress=progress,
                inspectors=inspectors,
            )

    with shown_progress(quiet=quiet) as progress:
        if target.suffix == ".dvc":
            from cxr.data.checks.dvc_file import verify_dvc_file

            report = verify_dvc_file(target, progress=progress)
        elif bytes_only:
            report = look()
            progress.note("only bytes were looked at: no image was decoded")
        else:
            report = verify_unless_unchanged(
                target,
                look_at_all,
                overrides=changes,
                lock=lock,
                strict=strict,
                is_used=not full,
                progress=progress,
            )
    if json:
        print_json(report.to_json())
    else:
        from cxr.cli.data_report import print_report

        print_line(f"{report.verdict}: {report.samples:,} images, {report.bytes:,} bytes")
        if report.lock is not None:
            print_line(f"held against {show_plainly(report.lock)}")
        print_report(report)
    if report.verdict != "verified":
        raise typer.Exit(ExitCode.DIFFERS)


@app.command("lock")
def lock(
    target: Annotated[Path, _LOCKED],
    overrides: options.Set = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The lock; default: beside TARGET.")
    ] = None,
    *,
    update: Annotated[
        bool, typer.Option("--update", help="Replace a lock that the set differs from.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write down what every image of a data set is, to the pixel, and its split.

    A set with errors is not locked. A lock that is there already is compared, and replaced only
    with --update. Nothing is written into the set.

    Example: cxr data lock mine.yaml
    """
    from cxr.data.caches.first_look import prepare_inspectors

    with shown_progress(quiet=quiet) as progress, prepare_inspectors(target) as inspectors:
        from cxr.data.checks.locking import LOCKED, lock_target

        locking = lock_target(
            target,
            overrides=overrides or (),
            out=out,
            update=update,
            progress=progress,
            inspectors=inspectors,
        )
    if json:
        print_json(locking.to_json())
    else:
        from cxr.cli.data_report import print_report

        place = show_plainly(str(locking.path))
        print_line(f"{locking.outcome}: {locking.report.samples:,} images, {place}")
        print_report(locking.report)
    if locking.outcome == "differs":
        print_note("the set differs from its lock; --update writes the lock anew")
    if locking.outcome == "refused":
        print_note("a set with errors is not locked: mend it, or name kinds in data.accept")
    if locking.outcome not in LOCKED:
        raise typer.Exit(ExitCode.DIFFERS)
