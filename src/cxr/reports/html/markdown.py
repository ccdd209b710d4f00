"""A report as Markdown, for a pull request or an appendix: tables in the place of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Final

from cxr.plain_text import show_plainly
from cxr.reports.html.blocks import (
    Block,
    Cell,
    Chart,
    Charts,
    Facts,
    Folded,
    Headlines,
    Pictures,
    Report,
    Statement,
    Table,
    Text,
    Titled,
)

START: Final = "<!-- written by cxr report -->"
"""First line of each: what `cxr report` wrote, it may write over."""

_MEANT: Final = str.maketrans({sign: f"&#{ord(sign)};" for sign in "\\`*_{}[]<>#|&~@$"})


def render_markdown(report: Report) -> str:
    """Return a report as Markdown. Equal reports are equal text."""
    lines = [START, "", f"# {escape(report.title)}", "", escape(report.subtitle)]
    for section in report.sections:
        lines += ["", f"## {escape(section.title)}"]
        for block in section.blocks:
            lines += ["", *render_block(block)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: its signs become character references."""
    return show_plainly(text).translate(_MEANT)


@singledispatch
def render_block(block: Block) -> list[str]:
    """Return the lines of a block."""
    raise TypeError(f"no block: {block!r}")


@render_block.register
def _(block: Text) -> list[str]:
    return [escape(block.text)]


@render_block.register
def _(block: Statement) -> list[str]:
    details = [f"- {escape(line)}" for line in block.details]
    return [f"**{escape(block.text)}**", *(["", *details] if details else [])]


@render_block.register
def _(block: Headlines) -> list[str]:
    return [
        f"- {escape(one.name)}: **{escape(one.value)}** {escape(one.note)}".rstrip()
        for one in block.headlines
    ]


@render_block.register
def _(block: Facts) -> list[str]:
    return _render_rows(("", ""), block.facts)


@render_block.register
def _(block: Table) -> list[str]:
    return [f"{escape(block.caption)}:", "", *_render_rows(block.header, block.rows)]


def _render_rows(header: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> list[str]:
    return [
        _render_row(header),
        f"| {' | '.join('---' for _ in header)} |",
        *(
            _render_row([cell.text if isinstance(cell, Cell) else cell for cell in row])
            for row in rows
        ),
    ]


def _render_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escape, cells))} |"


@render_block.register
def _(block: Chart) -> list[str]:
    said = [f"{escape(block.title)}: {escape(block.description)}"]
    return [*said, "", *render_block(block.table)] if block.table is not None else said


@render_block.register
def _(block: Charts) -> list[str]:
    return _between(block.charts)


@render_block.register
def _(block: Pictures) -> list[str]:
    return [f"- {escape(one.description)}: {escape(one.caption)}" for one in block.pictures]


@render_block.register
def _(block: Folded) -> list[str]:
    return [
        "<details>",
        f"<summary>{escape(block.summary)}</summary>",
        "",
        *_between(block.blocks),
        "",
        "</details>",
    ]


@render_block.register
def _(block: Titled) -> list[str]:
    return [f"### {escape(block.title)}", "", *_between(block.blocks)]


def _between(blocks: Sequence[Block]) -> list[str]:
    """Return the lines of blocks with an empty one between them."""
    lines: list[str] = []
    for block in blocks:
        lines += ["", *render_block(block)] if lines else render_block(block)
    return lines
