"""Each kind of block as HTML."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import singledispatch

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
    Statement,
    Table,
    Text,
    Titled,
)
from cxr.reports.html.markup import Markup, element, join


@singledispatch
def render_block(block: Block) -> Markup:
    """Return a block as HTML."""
    raise TypeError(f"no block: {block!r}")


@render_block.register
def _(block: Text) -> Markup:
    return element("p", block.text)


@render_block.register
def _(block: Statement) -> Markup:
    details = element("ul", join(element("li", line) for line in block.details))
    return element(
        "div",
        element("p", element("strong", block.text)),
        details if block.details else None,
        class_=f"statement {block.tone}",
    )


@render_block.register
def _(block: Headlines) -> Markup:
    return element("dl", join(map(_render_headline, block.headlines)), class_="headlines")


def _render_headline(headline: Headline) -> Markup:
    note = element("dd", headline.note, class_="note") if headline.note else None
    return element(
        "div", element("dt", headline.name), element("dd", headline.value, class_="figure"), note
    )


@render_block.register
def _(block: Facts) -> Markup:
    pairs = (
        element("div", element("dt", name), element("dd", value)) for name, value in block.facts
    )
    return element("dl", join(pairs), class_="facts")


@render_block.register
def _(block: Table) -> Markup:
    head = element("tr", join(element("th", name, scope="col") for name in block.header))
    rows = join((_render_row(row) for row in block.rows), in_lines=True)
    table = element(
        "table",
        element("caption", block.caption),
        element("thead", head),
        element("tbody", rows),
        class_="numbers" if block.numeric else None,
    )
    # A table that is wider than the page scrolls in a box of its own, by the keyboard as well.
    return element(
        "div", table, class_="scroll", role="region", aria_label=block.caption, tabindex=0
    )


def _render_row(row: Sequence[str | Cell]) -> Markup:
    first, *others = row
    text = first.text if isinstance(first, Cell) else first
    return element("tr", element("th", text, scope="row"), join(map(_render_cell, others)))


def _render_cell(cell: str | Cell) -> Markup:
    if isinstance(cell, Cell):
        return element("td", cell.text, class_=f"shade-{cell.shade}")
    return element("td", cell)


@render_block.register
def _(block: Chart) -> Markup:
    numbers = None
    if block.table is not None:
        folded = Folded(summary=f"The numbers: {block.title}", blocks=[block.table])
        numbers = render_block(folded)
    return element("figure", element("figcaption", block.title), block.svg, numbers)


@render_block.register
def _(block: Charts) -> Markup:
    return element("div", join(map(render_block, block.charts)), class_="charts")


@render_block.register
def _(block: Pictures) -> Markup:
    return element("div", join(map(_render_picture, block.pictures)), class_="pictures")


def _render_picture(picture: Picture) -> Markup:
    content = base64.b64encode(picture.png).decode()
    image = element(
        "img",
        src=f"data:image/png;base64,{content}",
        alt=picture.description,
        width=picture.width_px,
        height=picture.height_px,
    )
    return element("figure", image, element("figcaption", picture.caption))


@render_block.register
def _(block: Folded) -> Markup:
    content = join(map(render_block, block.blocks), in_lines=True)
    kind = None if block.on_paper else "screen"
    return element("details", element("summary", block.summary), content, class_=kind)


@render_block.register
def _(block: Titled) -> Markup:
    return join([element("h3", block.title), *map(render_block, block.blocks)], in_lines=True)
