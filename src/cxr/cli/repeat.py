"""``cxr repeat``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_note, print_table, shown_progress
from cxr.cli.diff import show_diff
from cxr.cli.github import tell_github
from cxr.cli.series_progress import shown_series
from cxr.cli.train import show_promise
from cxr.errors import ExitCode, UsageError
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.repeat.report import AgainstReport, RepeatReport


def repeat(
    config: options.Config,
    num_runs: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many runs.")] = 3,
    overrides: options.Set = None,
    out: options.Out = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="What every run must equal, whatever the code."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=1000, help="Runs at a time.")] = 1,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train one recipe several times and compare.

    Each run has a process of its own; the variance must be zero. With --against
    each must equal a run that was trained here, such as one of the code before
    a change; docs/ci.md has that as a gate.

    Example: cxr repeat -n 3 --config configs/sample.yaml
    """
    from cxr.config.load import load_config

    if num_runs == 1 and against is None:
        raise UsageError(
            "one run repeats nothing",
            where="-n 1",
            hint="ask for two or more, or name with --against what one must equal",
        )
    resolved = load_config(config, overrides or [])
    from cxr.repeat.against import load_comparable
    from cxr.repeat.plan import plan_equal_runs
    from cxr.repeat.run import RunFailedError, Task, repeat_recipe

    wanted = None
    if against is not None:
        with shown_progress(quiet=quiet) as progress:
            wanted = load_comparable(against, resolved, progress)
    try:
        with shown_series(num_runs, quiet=quiet, together=jobs > 1) as watcher:
            task = Task(
                config=resolved,
                plans=plan_equal_runs(resolved, num_runs),
                watcher=watcher,
                against=wanted,
                jobs=jobs,
            )
            directory, report = repeat_recipe(task, out=out)
    except RunFailedError as error:
        print_note(error.last_words.rstrip())
        raise typer.Exit(error.code) from error
    if json:
        print_json({**report.to_json(), "determinism": str(resolved.determinism)})
    else:
        show_repeat(directory, report, level=resolved.determinism)
    if report.against is not None:
        _tell(report.against)
    if report.verdict == "incomplete":
        interrupted = any_interrupted(report)
        raise typer.Exit(ExitCode.INTERRUPTED if interrupted else ExitCode.UNCHECKED)
    if report.verdict == "variance" or (report.against and not report.against.equal):
        raise typer.Exit(ExitCode.DIFFERS)


def any_interrupted(report: RepeatReport) -> bool:
    """Say whether a run was stopped by the user."""
    from cxr.records.manifest import load_manifest

    return any(
        load_manifest(Path(run)).get("status") == "interrupted"
        for run in report.runs
        if (Path(run) / "manifest.json").is_file()
    )


def show_repeat(directory: Path, report: RepeatReport, *, level: str) -> None:
    """Print the verdict, the figures' spread, and what the runs were."""
    from cxr.reports.repeat_text import describe_against

    # One run agrees with itself: that is no verdict.
    verdict = "trained" if (report.n, report.verdict) == (1, "zero-variance") else report.verdict
    print_line(f"{verdict}: {len(report.outcome_digests)} of {report.n} runs completed")
    if report.against is not None:
        print_line(f"  {show_plainly(describe_against(report.against))}")
    if report.verdict == "zero-variance":
        print_line(f"  outcome  {report.outcome_digests[0]}")
        print_line(f"  trace    {report.trace_digests[0]}")
        show_promise(level)
    if report.excluded_rate is not None:
        rate = f"{report.excluded_rate:.1%}"
        print_line(f"  evidence, not proof: excludes a divergence rate above {rate} at 95 %")
    if report.metrics and report.n > 1:
        print_line()
        columns = ("mean", "std", "min", "max")
        print_table(
            "figures over the runs",
            ["metric", *columns],
            [
                [name, *(f"{spread[column]:.4g}" for column in columns)]
                for name, spread in report.metrics.items()
            ],
        )
    print_line(f"records: {directory}")
    if report.against is not None and report.against.equal is False:
        _show_left(report.against)
    elif report.verdict == "variance":
        _show_first_divergence(report)


def _show_left(against: AgainstReport) -> None:
    """Compare the run that was named with the first one that differs from it."""
    from cxr.compare.diff import diff_runs

    if against.differing is None or not Path(against.run).is_dir():
        return
    print_line()
    print_line(f"{show_plainly(against.run)} against {show_plainly(against.differing)}:")
    show_diff(diff_runs(Path(against.run), Path(against.differing)))


def _tell(against: AgainstReport) -> None:
    """Annotate a workflow's page with whether the runs equal the one that was named."""
    from cxr.reports.github import Severity, render_annotations, render_summary
    from cxr.reports.repeat_text import describe_against

    told = describe_against(against)
    findings: list[tuple[Severity, str]] = [] if against.equal else [("error", told)]
    tell_github(
        render_annotations("cxr repeat", findings),
        render_summary("cxr repeat", told),
    )


def _show_first_divergence(report: RepeatReport) -> None:
    """Compare the first run with the first one that differs from it."""
    from cxr.compare.diff import diff_runs

    pairs = list(zip(report.outcome_digests, report.trace_digests, strict=True))
    other = next(index for index, pair in enumerate(pairs) if pair != pairs[0])
    print_line()
    print_line(f"run 1 against run {other + 1}:")
    show_diff(diff_runs(Path(report.runs[0]), Path(report.runs[other])))
