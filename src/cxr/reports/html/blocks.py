"""What a report is made of: sections of blocks, which become HTML or Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from cxr.reports.html.markup import Markup

Tone = Literal["good", "bad", "plain"]
"""What a statement amounts to. It is always said in words as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A sentence that must not be overlooked, such as a verdict.

    Attributes:
        tone: What it amounts to.
        text: The sentence.
        details: Further lines.
    """

    tone: Tone
    text: str
    details: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One figure in large type.

    Attributes:
        name: What it is.
        value: The figure.
        note: Its interval, or why there is none.
    """

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headlines:
    """Figures in large type, beside each other."""

    headlines: Sequence[Headline]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and values, one pair a line."""

    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell with a shade, as in a heat table.

    Attributes:
        text: What stands in it.
        shade: From 0, none, to 9, the darkest.
    """

    text: str
    shade: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose first column says what a row is about.

    Attributes:
        caption: What it shows.
        header: Names of the columns.
        rows: As many cells each.
        numeric: Whether the columns after the first hold numbers, which stand to the right.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    numeric: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawn figure.

    Attributes:
        title: What it shows.
        description: What a reader who does not see it should know.
        svg: The drawing, from `cxr.reports.html.charts`.
        table: The numbers behind it; a report without pictures shows them instead.
    """

    title: str
    description: str
    svg: Markup
    table: Table | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """Charts beside each other as far as the width allows."""

    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A small image of the data set.

    Attributes:
        png: The bytes of a PNG file.
        width_px: Its width.
        height_px: Its height.
        description: What a reader who does not see it should know.
        caption: What stands below it.
    """

    png: bytes = field(repr=False)
    width_px: int
    height_px: int
    description: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Images beside each other."""

    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Blocks that are shown when their summary is opened.

    Attributes:
        summary: What stands there while they are not.
        blocks: What is folded.
        on_paper: Whether they are printed, opened or not.
    """

    summary: str
    blocks: Sequence[Block]
    on_paper: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Titled:
    """Blocks under a heading of the third order."""

    title: str
    blocks: Sequence[Block]


Block = Text | Statement | Headlines | Facts | Table | Chart | Charts | Pictures | Folded | Titled


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report.

    Attributes:
        name: Its anchor: lower-case letters and hyphens, unique in the report.
        title: Its heading.
        blocks: What stands in it.
    """

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole report.

    Attributes:
        title: What it is about.
        subtitle: A line below that.
        sections: In the order in which they are shown.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
