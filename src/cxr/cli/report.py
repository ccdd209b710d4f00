"""``cxr report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line
from cxr.errors import UsageError


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run directories.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="By default named after the record."),
    ] = None,
    data: options.Data = None,
    replicates: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Resamples for intervals; 0: none.")
    ] = 2000,
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
    """Write a run's report: one HTML file that needs nothing else, from records alone.

    Example: cxr report runs/sample-20261121T120000Z-0123abcd --out report.html
    """
    if len(runs) > 1:
        raise UsageError(
            "a report is of one run",
            where=", ".join(map(str, runs)),
            hint="name one run; cxr diff compares two",
        )
    from cxr.reports.html.run_records import load_run_records
    from cxr.reports.html.run_report import build_run_report
    from cxr.reports.html.write_report import write_report

    records = load_run_records(runs[0])
    thumbnails = None
    if data is not None:
        from cxr.reports.html.thumbnails import open_thumbnails

        thumbnails = open_thumbnails(data, records.config.data)
    built = build_run_report(records, replicates=replicates, thumbnails=thumbnails)
    if markdown:
        from cxr.reports.html.markdown import render_markdown

        text = render_markdown(built)
    else:
        from cxr.reports.html.page import render_page

        text = render_page(built)
    short = str(records.manifest["manifest_digest"]).removeprefix("sha256:")[:8]
    path = out or Path(f"report-{short}.{'md' if markdown else 'html'}")
    write_report(path, text, force=force)
    if json:
        print_json({"report": str(path), "format": "markdown" if markdown else "html"})
    elif not quiet:
        print_line(f"written: {path}")
