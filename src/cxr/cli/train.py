"""``cxr train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, shown_progress
from cxr.determinism.levels import PROMISES, Level
from cxr.errors import UsageError
from cxr.plain_text import show_plainly
from cxr.records.figures import flatten_figures
from cxr.reports.evaluation_text import format_figure
from cxr.reports.shown_figures import choose_figures, describe_left_out

_NAME: Final = 18


def train(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The config, a YAML file.")
    ] = None,
    overrides: options.Set = None,
    out: options.Out = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run that was stopped.")
    ] = None,
    data: options.Data = None,
    figures: options.Figures = options.FigureSet.MAIN,
    *,
    progress_to: Annotated[int | None, typer.Option(hidden=True, min=0)] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a recipe into a run directory.

    The directory shows what went in, what happened at each step, and what came out.

    Example: cxr train --config configs/sample.yaml --set seed=1
    """
    if (config is None) == (resume is None) or (resume and (overrides or out)):
        raise UsageError(
            "give --config, or --resume alone",
            where="cxr train",
            hint="cxr train --config FILE for a new run, cxr train --resume RUN to go on",
        )
    if data is not None and resume is None:
        raise UsageError(
            "--data goes with --resume",
            where="cxr train",
            hint="for a new run, --set data.root=DIR says where the data set is",
        )
    if config is not None:
        from cxr.config.load import load_config

        resolved = load_config(config, overrides or [])
        from cxr.training.run import train as train_recipe

        with shown_progress(quiet=quiet, pipe=progress_to) as progress:
            directory, manifest = train_recipe(resolved, out=out, progress=progress)
    elif resume is not None:
        from cxr.training.run import resume as resume_run

        with shown_progress(quiet=quiet, pipe=progress_to) as progress:
            directory, manifest = resume_run(resume, root=data, progress=progress)
    if json:
        keys = ("status", "recipe", "recipe_digest", "outcome_digest", "trace_digest", "metrics")
        level = {"determinism": manifest["recipe"]["determinism"]}
        print_json({"run": str(directory), **level, **{key: manifest[key] for key in keys}})
        return
    show_run(str(directory), manifest, figures)


def show_run(directory: str, manifest: dict[str, Any], figures: options.FigureSet) -> None:
    """Print what a completed run came to."""
    print_line(f"{manifest['status']}: {directory}")
    show_figures(manifest["metrics"], every=figures is options.FigureSet.ALL)
    print_line(f"  outcome  {manifest['outcome_digest']}")
    print_line(f"  trace    {manifest['trace_digest']}")
    show_promise(manifest["recipe"]["determinism"])


def show_promise(level: str) -> None:
    """Print the level that something was computed at, and what it promises."""
    print_line(f"  promise  {level}: {PROMISES[Level(level)]}")


def show_figures(figures: dict[str, Any], *, every: bool) -> None:
    """Print figures of a split, one a line: the main ones, or all."""
    flat = flatten_figures(figures)
    names = choose_figures(flat, every=every)
    width = max(_NAME, *(len(name) + 1 for name in names))
    for name in names:
        print_line(f"  {figures['split']} {show_plainly(name):<{width}}{format_figure(flat[name])}")
    if told := describe_left_out(flat, every=every):
        print_line(f"  {told}")
