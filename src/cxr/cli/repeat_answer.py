"""What ``cxr repeat`` answers in words: the verdict, the figures' spread, and where runs part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cxr.cli.console import print_line, print_table
from cxr.cli.diff import show_diff
from cxr.cli.github import tell_github
from cxr.cli.options import FigureSet
from cxr.cli.repeat_kinds import show_kind
from cxr.cli.train import show_promise
from cxr.plain_text import show_plainly
from cxr.reports.shown_figures import choose_figures, describe_left_out

if TYPE_CHECKING:
    from cxr.repeat.report import AgainstReport, RepeatReport


def show_repeat(
    directory: Path, report: RepeatReport, *, level: str, figures: FigureSet = FigureSet.MAIN
) -> None:
    """Print the verdict, the figures' spread, and what the runs were."""
    from cxr.reports.repeat_text import describe_against, describe_status

    # One run agrees with itself: that is no verdict.
    verdict = "trained" if (report.n, report.verdict) == (1, "zero-variance") else report.verdict
    print_line(f"{verdict}: {len(report.outcome_digests)} of {report.n} runs completed")
    if report.against is not None:
        print_line(f"  {show_plainly(describe_against(report.against))}")
    for name, status in report.unfinished.items():
        print_line(f"  {show_plainly(name)}: {describe_status(status)}")
    if report.verdict == "zero-variance":
        print_line(f"  outcome  {report.outcome_digests[0]}")
        print_line(f"  trace    {report.trace_digests[0]}")
        show_promise(level)
    if report.excluded_rate is not None:
        rate = f"{report.excluded_rate:.1%}"
        print_line(f"  evidence, not proof: excludes a divergence rate above {rate} at 95 %")
    show_kind(report)
    _show_spreads(report, every=figures is FigureSet.ALL)
    print_line(f"records: {directory}")
    if report.against is not None and report.against.equal is False:
        _show_left(report.against, figures)
    elif report.seeds is None and report.factors is None:
        _show_first_divergence(report, figures)


def _show_spreads(report: RepeatReport, *, every: bool) -> None:
    """Print the figures' spread; over seeds there are tables of the main ones already."""
    is_told = report.factors is not None or (report.seeds is not None and not every)
    if not report.metrics or report.n == 1 or is_told:
        return
    columns = ("mean", "std", "min", "max")
    print_line()
    print_table(
        "figures over the runs",
        ["metric", *columns],
        [
            [name, *(f"{report.metrics[name][column]:.4g}" for column in columns)]
            for name in choose_figures(report.metrics, every=every)
        ],
        # A name that was cut would be that of several figures.
        num_whole=0 if every else 1,
    )
    if told := describe_left_out(report.metrics, every=every):
        print_line(told)


def _show_left(against: AgainstReport, figures: FigureSet) -> None:
    """Compare the run that was named with the first one that differs from it."""
    from cxr.compare.diff import diff_runs

    if against.differing is None or not Path(against.run).is_dir():
        return
    print_line()
    print_line(f"{show_plainly(against.run)} against {show_plainly(against.differing)}:")
    show_diff(diff_runs(Path(against.run), Path(against.differing)), figures)


def tell_against(against: AgainstReport) -> None:
    """Annotate a workflow's page with whether the runs equal the one that was named."""
    from cxr.reports.github import Severity, render_annotations, render_summary
    from cxr.reports.repeat_text import describe_against

    told = describe_against(against)
    findings: list[tuple[Severity, str]] = [] if against.equal else [("error", told)]
    tell_github(
        render_annotations("cxr repeat", findings),
        render_summary("cxr repeat", told),
    )


def _show_first_divergence(report: RepeatReport, figures: FigureSet) -> None:
    """Compare the first run that completed with the first one that differs from it."""
    from cxr.compare.diff import diff_runs

    pairs = list(zip(report.outcome_digests, report.trace_digests, strict=True))
    other = next((index for index, pair in enumerate(pairs) if pair != pairs[0]), None)
    if other is None:
        return
    runs = [Path(run) for run in report.runs if Path(run).name not in report.unfinished]
    print_line()
    first, second = (run.name.replace("-", " ") for run in (runs[0], runs[other]))
    print_line(f"{first} against {second}:")
    for text in report.varied.get(runs[other].name, []):
        print_line(f"  {show_plainly(text)}")
    show_diff(diff_runs(runs[0], runs[other]), figures)
