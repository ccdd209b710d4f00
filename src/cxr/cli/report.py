"""``cxr report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_note
from cxr.statistics.intervals import REPLICATES


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Run directories, or one repeat's.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="By default named after the record."),
    ] = None,
    data: options.Data = None,
    replicates: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Resamples for intervals; 0: none.")
    ] = REPLICATES,
    *,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Markdown with tables instead of HTML.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is no report.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a report of runs: one HTML file that needs nothing else, from records alone.

    Of one run, of several beside each other, or of a repeat.

    Example: cxr report runs/sample-20261121T120000Z-0123abcd --out report.html
    """
    from cxr.reports.html.choose_report import build_report
    from cxr.reports.html.write_report import write_report

    found = build_report(runs, replicates=replicates, data=data)
    if markdown:
        from cxr.reports.html.markdown import render_markdown

        text = render_markdown(found.report)
    else:
        from cxr.reports.html.page import render_page

        text = render_page(found.report)
    path = out or Path(f"report-{found.digest[:8]}.{'md' if markdown else 'html'}")
    write_report(path, text, force=force)
    if json:
        print_json(
            {
                "report": str(path),
                "format": "markdown" if markdown else "html",
                "runs": [str(run) for run in runs],
                "status": found.status,
                "verified": found.is_verified,
            }
        )
    elif not quiet:
        print_line(f"written: {path}")
        if not found.is_verified:
            print_note("not verified: the report begins with what was found")
