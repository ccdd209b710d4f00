"""``cxr repeat``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_note
from cxr.cli.repeat_answer import show_repeat, tell_against
from cxr.cli.repeat_kinds import read_wish
from cxr.cli.repeat_series import NUM_RUNS, AskedRuns, load_wanted, take_series, take_up_series
from cxr.cli.series_progress import shown_series
from cxr.errors import ExitCode, Interrupted
from cxr.interruption import describe_stop, has_signal

if TYPE_CHECKING:
    from cxr.repeat.report import RepeatReport
    from cxr.repeat.series import Series


def repeat(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The config, a YAML file.")
    ] = None,
    num_runs: Annotated[
        int | None,
        typer.Option("-n", min=1, max=1000, help="How many runs.", show_default=str(NUM_RUNS)),
    ] = None,
    overrides: options.Set = None,
    out: options.Out = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="What every run must equal, whatever the code."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=1000, help="Runs at a time.")] = 1,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with a repeat that was stopped.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="0..9", help="Seeds: the distribution over them.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="STREAM", help="The one stream that --seeds moves: init, order, ..."),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="FACTOR=VALUES", help="Factors to vary, one at a time."),
    ] = None,
    figures: options.Figures = options.FigureSet.MAIN,
    factors: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FACTOR=VALUES]...", help="Further ones.", show_default=False),
    ] = None,
    *,
    stress: Annotated[
        bool, typer.Option("--stress", help="Vary what must not matter from run to run.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train one recipe several times and compare.

    Each run has a process of its own; the variance must be zero. With --against
    each must equal a run that was trained here, such as one of the code before
    a change; docs/ci.md has that as a gate. With --stress load, workers, memory
    and much else that must not matter differ from run to run. With --seeds the
    spread is the result: figures, images and the ensemble over seeds. With
    --vary the answer is which of threads, workers, batch_eval, isa, mkl_cbwr
    and onednn_isa change bits: --vary threads=1,2 isa=default,avx2

    Example: cxr repeat -n 3 --config configs/sample.yaml
    """
    asked = AskedRuns(
        config=config,
        num_runs=num_runs,
        overrides=overrides or (),
        against=against,
        is_stressed=stress,
        wish=read_wish(seeds, only, vary, factors),
    )
    series = take_series(asked) if resume is None else take_up_series(asked, resume, out)
    wanted = load_wanted(series, against, quiet=quiet)
    _warn_of_load(series, jobs)
    from cxr.repeat.resume import go_on
    from cxr.repeat.run import RunFailedError, Task, repeat_recipe
    from cxr.repeat.series import plan_series

    try:
        with shown_series(series.num_runs, quiet=quiet, together=jobs > 1) as watcher:
            task = Task(
                series=series,
                plans=plan_series(series),
                watcher=watcher,
                against=wanted,
                jobs=jobs,
            )
            if resume is None:
                directory, report = repeat_recipe(task, out=out)
            else:
                directory, report = resume, go_on(task, resume)
    except RunFailedError as error:
        for line in error.last_words.rstrip().splitlines():
            print_note(line)
        raise typer.Exit(error.code) from error
    if json:
        print_json({**report.to_json(), "determinism": str(series.config.determinism)})
    else:
        show_repeat(directory, report, level=series.config.determinism, figures=figures)
    if report.against is not None:
        tell_against(report.against)
    _end(directory, report)


def _warn_of_load(series: Series, jobs: int) -> None:
    """Say that runs wait for each other, where together they have more threads than there are."""
    from cxr.environment.processor import count_cores, exceeds_cores

    cores, threads = count_cores(), series.config.threads
    if jobs > 1 and exceeds_cores(jobs * threads):
        print_note(
            f"warning: {jobs} runs at a time with {threads} threads each on {cores} cores: "
            "they will wait for each other; the bits are the same"
        )


def _end(directory: Path, report: RepeatReport) -> None:
    """End with the exit code that the answer has: a difference that was found is never hidden."""
    num_done = len(report.outcome_digests)
    if num_done < report.n:
        how = f"go on with cxr repeat --resume {shlex.quote(str(directory))}"
        if has_signal():
            stop = describe_stop("")
            done = f"{num_done} of {report.n} runs completed"
            raise Interrupted(stop.problem, where=f"cxr repeat, {done}", hint=how)
        print_note(how)
    elif report.verdict == "incomplete":
        print_note("no value was taken on this machine: name others, as in --vary threads=1,4")
    if report.differs:
        raise typer.Exit(ExitCode.DIFFERS)
    if report.verdict == "incomplete":
        raise typer.Exit(ExitCode.UNCHECKED)
