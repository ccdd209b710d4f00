"""Findings as GitHub Actions takes them: annotations and a page's Markdown, escaped.

A value may come from a file that somebody sent. Nothing in it starts another workflow command,
ends a table's cell or is read as Markdown.

Source: GitHub documentation, "Workflow commands"; ``packages/core/src/command.ts`` of its toolkit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

Severity = Literal["error", "warning"]

_SHOWN: Final = 9
"""GitHub shows ten annotations of a kind for a step; the tenth says how many there are more."""

_ROWS: Final = 200
"""A page may have a mebibyte; what is longer is not shown at all."""

_LONGEST: Final = 1000


def render_annotation(severity: Severity, title: str, message: str) -> str:
    """Return the workflow command that makes an annotation, in one line.

    Args:
        severity: How it is shown.
        title: Its headline.
        message: What is said.
    """
    return f"::{severity} title={_escape_property(title)}::{_escape(message)}"


def render_annotations(title: str, findings: Sequence[tuple[Severity, str]]) -> list[str]:
    """Return an annotation for each finding, as many as GitHub shows.

    Args:
        title: The headline of each.
        findings: Severity and message of each, the gravest first.
    """
    lines = []
    for severity in ("error", "warning"):
        messages = [message for kind, message in findings if kind == severity]
        if len(messages) > _SHOWN + 1:
            more = f"and {len(messages) - _SHOWN} more: the step's summary has them"
            messages = [*messages[:_SHOWN], more]
        lines += [render_annotation(severity, title, message) for message in messages]
    return lines


def render_summary(
    title: str,
    verdict: str,
    notes: Sequence[str] = (),
    header: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
) -> str:
    """Return a section for a step's summary page.

    Args:
        title: Its headline.
        verdict: What came out, in one line.
        notes: More lines.
        header: The table's columns.
        rows: The table's cells.
    """
    lines = [f"### {title}", "", escape_markdown(verdict), ""]
    lines += [f"- {escape_markdown(note)}" for note in notes]
    lines += [""] if notes else []
    if rows:
        lines += [f"| {' | '.join(header)} |", f"| {' | '.join('---' for _ in header)} |"]
        lines += [f"| {' | '.join(map(escape_markdown, row))} |" for row in rows[:_ROWS]]
        lines.append("")
    if len(rows) > _ROWS:
        lines += [f"and {len(rows) - _ROWS} more", ""]
    return "\n".join(lines) + "\n"


def escape_markdown(text: str) -> str:
    """Return text so that a Markdown page shows it as it is, in one line.

    Every ASCII mark is written as a character reference, so that neither Markdown nor HTML sees it.
    """
    plain = " ".join(text.split())
    plain = plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
    return "".join(
        letter
        if letter.isalnum() or letter in " .,-" or not letter.isascii()
        else f"&#{ord(letter)};"
        for letter in plain
        if letter.isprintable()
    )


def defuse(text: str) -> str:
    """Return text that no line of a log can hold a workflow command in.

    The runner obeys a line that begins with ``::``, behind spaces too, and ``##[`` anywhere.

    Source: ``ActionCommand.cs`` of the runner.
    """
    return re.sub(":(?=:)", ": ", text).replace("##[", "# #[")


def _escape(text: str) -> str:
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
