"""``cxr diff``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_table, shorten, shown_progress
from cxr.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from cxr.compare.report import DiffReport

_SHOWN: Final = 20
_WHOLE: Final = 34


def diff(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", show_default=False)],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", show_default=False)],
    tolerance: options.Tolerance = None,
    figures: options.Figures = options.FigureSet.MAIN,
    data_a: Annotated[
        Path | None, typer.Option("--data-a", help="Where the data set of RUN_A is now.")
    ] = None,
    data_b: Annotated[
        Path | None, typer.Option("--data-b", help="Where the data set of RUN_B is now.")
    ] = None,
    *,
    replay: Annotated[
        bool, typer.Option("--replay", help="Run the step again, and name the op that differs.")
    ] = False,
    bisect: Annotated[
        bool, typer.Option("--bisect", help="Exchange what differs, and name the cause.")
    ] = False,
    paired: Annotated[
        bool, typer.Option("--paired", help="Compare figures and decisions on the same images.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown on stdout.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say where two runs parted, and in what.

    Only their records are read, unless --replay or --bisect ask for the runs to be run again.

    Example: cxr diff runs/a runs/b --tolerance accuracy=0.01
    """
    from cxr.compare.diff_records import diff_records

    _require_one_form(json=json, markdown=markdown, paired=paired)
    report = diff_records(run_a, run_b, parse_tolerances(tolerance or []))
    if replay or bisect or paired:
        _require_own(run_a)
    if replay or bisect:
        from cxr.compare.investigate import investigate

        with shown_progress(quiet=quiet) as progress:
            report = investigate(
                run_a,
                run_b,
                report,
                roots=(data_a, data_b),
                replay=replay,
                bisect=bisect,
                progress=progress,
            )
    found = None
    if paired:
        from cxr.compare.paired_runs import compare_paired_runs

        found = compare_paired_runs(run_a, run_b)
    if json:
        print_json(report.to_json() | ({"paired": found} if found is not None else {}))
    elif markdown:
        from cxr.reports.diff_markdown import render_markdown

        every = figures is options.FigureSet.ALL
        page = render_markdown(report, str(run_a), str(run_b), every_figure=every)
        print_line(page.rstrip("\n"))
    elif quiet:
        print_line(report.verdict)
    else:
        show_diff(report, figures)
        if found is not None:
            show_paired(found)
    if report.verdict == "different":
        raise typer.Exit(ExitCode.DIFFERS)


def _require_one_form(*, json: bool, markdown: bool, paired: bool) -> None:
    """Refuse options that ask for two forms of one answer."""
    if json and markdown:
        raise UsageError(
            "one answer has one form", where="cxr diff", hint="give --json or --markdown"
        )
    if markdown and paired:
        raise UsageError(
            "the Markdown has no paired comparison",
            where="cxr diff",
            hint="use --json with --paired",
        )


def _require_own(run: Path) -> None:
    """Refuse to run again, or to find images of, what cxr did not train itself."""
    from cxr.records.foreign_manifest import is_foreign

    if is_foreign(run):
        raise UsageError(
            "only runs of cxr train can be run again, or compared image by image",
            where=str(run),
            hint="leave out --replay, --bisect and --paired",
        )


def parse_tolerances(texts: list[str]) -> dict[str, float]:
    """Read ``metric=number`` texts.

    Raises:
        UsageError: One is of another form.
    """
    tolerances = {}
    for text in texts:
        # The name of a class may have an equals sign in it.
        name, _, value = text.rpartition("=")
        try:
            tolerances[name] = float(value)
        except ValueError:
            tolerances[name] = -1.0
        if not 0 <= tolerances[name] < math.inf:
            raise UsageError(
                f"not a tolerance: {text!r}",
                where="--tolerance",
                hint="give METRIC=ABS, such as accuracy=0.01",
            )
    return tolerances


def _num_whole(rows: list[list[str]]) -> int:
    """Keep the names of fields whole, unless one is so long that nothing else would fit."""
    return 2 if max(len(row[1]) for row in rows) <= _WHOLE else 1


def show_diff(report: DiffReport, figures: options.FigureSet = options.FigureSet.MAIN) -> None:
    """Print a verdict line, the first divergence, the differences and the figures."""
    from cxr.reports import diff_text

    print_line(diff_text.describe_verdict(report))
    for line in diff_text.describe_findings(report):
        print_line(line)
    if report.differences:
        print_line()
        header, rows = diff_text.list_difference_rows(report)
        shown = [[*row[:2], shorten(row[2]), shorten(row[3]), *row[4:]] for row in rows[:_SHOWN]]
        print_table("what went in differently", header, shown, num_whole=_num_whole(rows))
        if len(rows) > _SHOWN:
            print_line(f"and {len(rows) - _SHOWN} more; --json has all of them")
    elif report.verdict != "identical":
        print_line(diff_text.describe_no_difference(report))
    if report.verdict != "identical" and report.metrics:
        _show_figures(report, every=figures is options.FigureSet.ALL)


def _show_figures(report: DiffReport, *, every: bool) -> None:
    from cxr.reports import diff_text

    header, rows = diff_text.list_figure_rows(report, every=every)
    # The name of a class may be long, and one that was cut would be that of several figures.
    is_short = max(len(row[0]) for row in rows) <= _WHOLE
    print_table("figures", header, rows, num_whole=int(is_short))
    for told in (
        diff_text.describe_other_figures(report, every=every),
        diff_text.describe_predictions(report),
    ):
        if told is not None:
            print_line(told)


def show_paired(paired: dict[str, Any]) -> None:
    """Print what a paired comparison found."""
    from cxr.reports.evaluation_text import describe_missing
    from cxr.reports.paired_text import describe_tests, list_differences

    table = list_differences(paired)
    print_line()
    print_table(table.title, table.header, table.rows)
    for line in (*describe_missing(paired["figures"]), *describe_tests(paired)):
        print_line(line)
