"""A comparison as Markdown, for a pull request or a laboratory's page."""

from __future__ import annotations

from collections.abc import Sequence

from cxr.compare.report import DiffReport
from cxr.plain_text import show_plainly
from cxr.reports.diff_text import (
    describe_findings,
    describe_other_figures,
    describe_predictions,
    describe_verdict,
    list_difference_rows,
    list_figure_rows,
)


def render_markdown(
    report: DiffReport, name_a: str, name_b: str, *, every_figure: bool = False
) -> str:
    """Return a comparison as Markdown.

    Args:
        report: The comparison.
        name_a: What the first run is called.
        name_b: What the second is called.
        every_figure: Whether the table has all figures, or the main ones.
    """
    lines = [f"## {describe_verdict(report)}", "", f"- a: {_code(name_a)}", f"- b: {_code(name_b)}"]
    lines += [f"- {line}" for line in describe_findings(report)]
    if report.differences:
        lines += ["", "### What went in differently", "", *_table(*list_difference_rows(report))]
    if report.verdict != "identical" and report.metrics:
        lines += ["", "### Figures", "", *_table(*list_figure_rows(report, every=every_figure))]
        for told in (
            describe_other_figures(report, every=every_figure),
            describe_predictions(report),
        ):
            lines += ["", told] if told is not None else []
    return "\n".join(lines) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; what a run calls things is never read as Markdown."""
    return [
        f"| {' | '.join(header)} |",
        f"| {' | '.join('---' for _ in header)} |",
        *(f"| {' | '.join(_code(cell) for cell in row)} |" for row in rows),
    ]


def _code(text: str) -> str:
    """Return text as a code span that nothing in it can end."""
    plain = show_plainly(" ".join(text.split())).replace("|", "\\|")
    fence = "`"
    while fence in plain:
        fence += "`"
    pad = " " if plain.startswith("`") or plain.endswith("`") or not plain else ""
    return f"{fence}{pad}{plain}{pad}{fence}"
