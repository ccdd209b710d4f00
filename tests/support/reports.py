"""A report with everything in it that a page has to withstand."""

from __future__ import annotations

import io

from PIL import Image

from cxr.reports.html.axes import make_axis, make_share_axis
from cxr.reports.html.blocks import (
    Block,
    Cell,
    Chart,
    Charts,
    Facts,
    Folded,
    Headline,
    Headlines,
    Picture,
    Pictures,
    Report,
    Section,
    Statement,
    Table,
    Text,
    Titled,
)
from cxr.reports.html.charts import Bars, Line, Rule, draw_chart

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</style></svg></title></table></details>",
    "line\nend\rand\ttab\x00\x1b[31m",
    "right\u202eto\u2066left\u200f",
    "x" * 10_000,
    "| `code` [link](javascript:alert(1)) **bold** <!-- @everyone #1 $x$",
    "&amp; &#60;b&#62; {{ 7 * 7 }}",
    "\ud800 alone",
    "",
)
"""Texts that a record may hold and a page must only show."""


def build_hostile_report(texts: tuple[str, ...] = HOSTILE) -> Report:
    """Return a report with every kind of block, and these texts in every place of each."""
    return Report(
        title=" ".join(texts),
        subtitle=" ".join(texts),
        sections=[
            Section(
                name=f"part-{number}",
                title=f"Part {number} {text}",
                blocks=_list_blocks(text, number),
            )
            for number, text in enumerate(texts)
        ],
    )


def _list_blocks(text: str, number: int) -> list[Block]:
    table = Table(
        caption=f"A table {text}",
        header=[text, text, f"b{text}"],
        rows=[[text, Cell(text=text, shade=9), text]] * 2,
    )
    wide = Table(caption=f"Wide {text}", header=["a"] * 60, rows=[["1.0000"] * 60])
    lines = [Line(points=[(0, 0), (1, 1)], label=text, style=style) for style in range(6)]
    drawn = [
        Chart(
            title=f"A chart {text}",
            description=f"It shows {text}",
            svg=draw_chart(
                f"chart-{number}-{labels}",
                title=f"A chart {text}",
                description=f"It shows {text}",
                x=make_share_axis(text),
                y=make_axis(text, [0, 1e-9]),
                marks=[*lines, Bars(bars=[(0, 0.5, 1)]), Rule(x=0.5, label=text)],
                labels=labels,
            ),
            table=table,
        )
        for labels in ("end", "corner")
    ]
    return [
        Text(text=text),
        Statement(tone="bad", text=text, details=[text]),
        Headlines(headlines=[Headline(name=text, value=text, note=text)]),
        Facts(facts=[(text, text)]),
        table,
        wide,
        Charts(charts=drawn),
        Titled(title=f"More {text}", blocks=[Folded(summary=text, blocks=[Text(text=text)])]),
        Pictures(
            pictures=[
                Picture(
                    png=_draw_png(), width_px=2, height_px=2, description=f"p{text}", caption=text
                )
            ]
        ),
    ]


def _draw_png() -> bytes:
    content = io.BytesIO()
    Image.new("L", (2, 2)).save(content, format="PNG")
    return content.getvalue()
