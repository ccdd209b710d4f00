"""``cxr repeat``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_note, shown_progress
from cxr.cli.repeat_answer import show_repeat, tell_against
from cxr.cli.repeat_kinds import ask, read_wish
from cxr.cli.series_progress import shown_series
from cxr.errors import ExitCode, Interrupted, UsageError
from cxr.interruption import describe_stop, has_signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr.cli.repeat_kinds import Wish
    from cxr.repeat.against import Wanted
    from cxr.repeat.report import RepeatReport
    from cxr.repeat.series import Series

_NUM_RUNS: Final = 3


def repeat(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The config, a YAML file.")
    ] = None,
    num_runs: Annotated[
        int | None,
        typer.Option("-n", min=1, max=1000, help="How many runs.", show_default=str(_NUM_RUNS)),
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
    wish = read_wish(seeds, only, vary, factors)
    if resume is None and wish:
        series = _take_other_series(config, overrides or [], wish)
        _refuse_beside(num_runs=num_runs, against=against, stress=stress)
    elif resume is None:
        series = _take_series(config, num_runs, overrides or [], against, stress=stress)
    elif config or num_runs or overrides or out or stress or wish:
        raise UsageError(
            "--resume takes the recipe, the number of runs and --stress from the record",
            where="cxr repeat",
            hint="give --resume DIR with no more than --against, --jobs, --json and -q",
        )
    else:
        from cxr.repeat.resume import load_series

        series = load_series(resume)
    wanted = _load_wanted(series, against, quiet=quiet)
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
        show_repeat(directory, report, level=series.config.determinism)
    if report.against is not None:
        tell_against(report.against)
    _end(directory, report)


def _take_series(
    config: Path | None,
    num_runs: int | None,
    overrides: Sequence[str],
    against: Path | None,
    *,
    stress: bool,
) -> Series:
    """Return the series that the command line asks for."""
    if num_runs == 1 and (against is None or stress):
        raise UsageError(
            "one run repeats nothing",
            where="-n 1",
            hint="ask for two or more, or name with --against what one must equal",
        )
    from cxr.config.load import load_config

    resolved = load_config(_require_config(config), overrides)
    from cxr.repeat.series import EQUAL, STRESS, Series

    return Series(
        config=resolved,
        num_runs=num_runs or _NUM_RUNS,
        asked={"kind": STRESS if stress else EQUAL},
    )


def _take_other_series(config: Path | None, overrides: Sequence[str], wish: Wish) -> Series:
    """Return the series over seeds or factors that the command line asks for."""
    from cxr.config.load import load_config

    resolved = load_config(_require_config(config), overrides)
    from cxr.repeat.series import Series, plan_series

    asked = ask(wish, resolved)
    planned = len(plan_series(Series(config=resolved, num_runs=0, asked=asked)))
    return Series(config=resolved, num_runs=planned, asked=asked)


def _refuse_beside(*, num_runs: int | None, against: Path | None, stress: bool) -> None:
    """Refuse what has no meaning where the runs are to differ."""
    given = {"-n": num_runs is not None, "--against": against is not None, "--stress": stress}
    for option, is_given in given.items():
        if is_given:
            raise UsageError(
                f"{option} is for equal runs; over seeds and factors they differ",
                where="cxr repeat",
                hint=f"leave out {option}, or ask for it in a repeat of its own",
            )


def _require_config(config: Path | None) -> Path:
    if config is None:
        raise UsageError(
            "give --config, or --resume alone",
            where="cxr repeat",
            hint="cxr repeat --config FILE to begin, cxr repeat --resume DIR to go on",
        )
    return config


def _load_wanted(series: Series, against: Path | None, *, quiet: bool) -> Wanted | None:
    """Return what every run must equal; where a series goes on, the same as before."""
    recorded = series.against
    if against is None:
        if recorded is not None:
            raise UsageError(
                f"the runs were to equal {str(recorded.get('run'))[:80]}, which is not named now",
                where="cxr repeat --resume",
                hint="name it again with --against: a record holds no path outside of it",
            )
        return None
    from cxr.repeat.against import load_comparable

    with shown_progress(quiet=quiet) as progress:
        wanted = load_comparable(against, series.config, progress)
    if recorded is not None and recorded.get("outcome_digest") != wanted.outcome_digest:
        raise UsageError(
            "the runs were to equal another run, with another outcome",
            where=str(against),
            hint="name that one, or start a new repeat",
        )
    return wanted


def _warn_of_load(series: Series, jobs: int) -> None:
    """Say that runs wait for each other, where together they have more threads than there are."""
    from cxr.environment.processor import count_cores

    cores, threads = count_cores(), series.config.threads
    if jobs > 1 and cores is not None and jobs * threads > cores:
        print_note(
            f"warning: {jobs} runs at a time with {threads} threads each on {cores} cores: "
            "they will wait for each other; the bits are the same"
        )


def _end(directory: Path, report: RepeatReport) -> None:
    """End with the exit code that the answer has."""
    if report.verdict == "incomplete":
        how = f"go on with cxr repeat --resume {shlex.quote(str(directory))}"
        if has_signal():
            stop = describe_stop("")
            done = f"{len(report.outcome_digests)} of {report.n} runs completed"
            raise Interrupted(stop.problem, where=f"cxr repeat, {done}", hint=how)
        print_note(how)
        raise typer.Exit(ExitCode.UNCHECKED)
    broken = report.factors is not None and report.factors.breaks_promise
    if report.verdict == "variance" or broken or (report.against and not report.against.equal):
        raise typer.Exit(ExitCode.DIFFERS)
