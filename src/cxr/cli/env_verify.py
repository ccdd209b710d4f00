"""``cxr env verify``."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_table, shorten, shown_progress
from cxr.cli.github import runs_in_github, tell_github
from cxr.determinism.levels import Level
from cxr.errors import ExitCode
from cxr.plain_text import show_plainly

if TYPE_CHECKING:
    from cxr.compare.environment_report import EnvironmentReport

_COLUMNS: Final = 80
_SHOWN: Final = 20
_WHOLE: Final = 34


def verify(
    against: Annotated[
        Path,
        typer.Argument(
            metavar="AGAINST",
            help="A capture, a run, a manifest.json or a uv.lock.",
            show_default=False,
        ),
    ],
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Leave out a fact or a group, such as os.release."),
    ] = None,
    level: Annotated[
        Level | None,
        typer.Option(help="Ask only about what affects bits at this level.", show_default=False),
    ] = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say in what this environment differs from another one, and what to do.

    AGAINST is what cxr env capture wrote, the directory of a run, a repeat or an
    evaluation, a manifest alone, or the lock of the packages.

    Example: cxr env verify runs/a --ignore os.release
    """
    from cxr.compare.environment_reference import load_reference
    from cxr.compare.verify_environment import capture_for, verify_environment

    reference = load_reference(against)
    ignored = ignore or []
    with shown_progress(quiet=quiet) as progress:
        found = capture_for(reference, ignored, progress)
    report = verify_environment(reference, found, level=level, ignored=ignored)
    if json:
        print_json(report.to_json())
    elif not quiet or report.differences:
        show_report(report)
    _tell(report)
    if report.differences:
        raise typer.Exit(ExitCode.DIFFERS)


def show_report(report: EnvironmentReport) -> None:
    """Print the verdict, the differences, and what to do about each."""
    from cxr.reports import environment_text as text

    print_line(text.describe_verdict(report))
    for line in text.describe_limits(report):
        for part in textwrap.wrap(_plainly(line), _COLUMNS, subsequent_indent="  "):
            print_line(part)
    if not report.differences:
        return
    print_line()
    rows = [[_plainly(cell) for cell in row] for row in text.list_rows(report)[:_SHOWN]]
    num_whole = 1 if max(len(row[0]) for row in rows) <= _WHOLE else 0
    shown = [[row[0], shorten(row[1]), shorten(row[2]), row[3]] for row in rows]
    print_table("what differs", text.HEADER, shown, num_whole=num_whole)
    if len(report.differences) > _SHOWN:
        print_line(f"and {len(report.differences) - _SHOWN} more; --json has all of them")
    print_line("what to do:")
    for line in text.list_remedies(report):
        print_line(f"  {_plainly(line)}")


def _plainly(text: str) -> str:
    """Return text from outside so that neither a terminal nor GitHub's runner obeys it."""
    from cxr.reports.github import defuse

    plain = show_plainly(text)
    return defuse(plain) if runs_in_github() else plain


def _tell(report: EnvironmentReport) -> None:
    """Annotate a workflow's page with what was found."""
    from cxr.reports import environment_text as text
    from cxr.reports.github import Severity, render_annotations, render_summary

    severities: dict[str, Severity] = {"yes": "error", "unknown": "warning", "no": "warning"}
    findings = [
        (severities[one.affects_bits], text.describe_difference(one)) for one in report.differences
    ]
    rows = [
        [*row, one.do] for row, one in zip(text.list_rows(report), report.differences, strict=True)
    ]
    tell_github(
        render_annotations("cxr env verify", findings),
        render_summary(
            "cxr env verify",
            text.describe_verdict(report),
            text.describe_limits(report),
            [*text.HEADER, "what to do"],
            rows,
        ),
    )
