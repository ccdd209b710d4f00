"""Charts as SVG: lines, points and bars between two axes, coloured by the page's style sheet.

A chart is text of its own in the page, so it follows light and dark, and equal numbers are equal
bytes. Series differ in colour, in the dashes of their line and in the shape of their points, so
that none of these is needed alone; docs/adr/0008 says why no library draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cxr.reports.html.axes import Axis
from cxr.reports.html.chart_labels import label_corner, label_ends
from cxr.reports.html.drawing import HEIGHT, WIDTH, Frame, draw_shape, px, stroke, write
from cxr.reports.html.markup import Markup, element, join

NUM_STYLES: Final = 6
"""Series that can be told apart; style 0 is the first."""

_NARROW: Final = 14
_WIDE: Final = 104

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through points.

    Attributes:
        points: In the units of the axes.
        label: What it is; empty: it has no label.
        style: Its number below `NUM_STYLES`; None: a reference in grey.
        has_points: Whether each point is marked with the style's shape.
    """

    points: Sequence[Point]
    label: str = ""
    style: int | None = 0
    has_points: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Bars that stand on the lower axis.

    Attributes:
        bars: Their left and right ends and their heights, in the units of the axes.
        style: Its number below `NUM_STYLES`.
    """

    bars: Sequence[tuple[float, float, float]]
    style: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A vertical line across the chart, such as the epoch that was chosen.

    Attributes:
        x: Where it stands.
        label: What it is.
    """

    x: float
    label: str


Mark = Line | Bars | Rule


def draw_chart(
    name: str,
    *,
    title: str,
    description: str,
    x: Axis,
    y: Axis,
    marks: Sequence[Mark],
    labels: Literal["end", "corner"] = "corner",
) -> Markup:
    """Return a chart.

    Args:
        name: Unique in the page: lower-case letters, digits and hyphens.
        title: What it shows.
        description: What a reader who does not see it should know.
        x: The lower axis.
        y: The left axis.
        marks: What is drawn, in this order.
        labels: Where the lines' labels stand: each at its line's end, or all in a lower corner.
    """
    lines = [mark for mark in marks if isinstance(mark, Line) and mark.label]
    margin = _WIDE if labels == "end" and lines else _NARROW
    frame = Frame(x=x, y=y, right=WIDTH - margin)
    drawn = [_draw_mark(mark, frame) for mark in marks]
    named = label_ends(lines, frame) if labels == "end" else label_corner(lines, frame)
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-description"),
        element("g", _draw_axes(frame), class_="axes", aria_hidden="true"),
        element("g", join(drawn), aria_hidden="true"),
        element("g", join(named), class_="labels", aria_hidden="true"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=f"{name}-title {name}-description",
    )


def _draw_axes(frame: Frame) -> Markup:
    parts: list[Markup] = []
    for value, text in frame.y.ticks:
        height = frame.down(value)
        parts.append(stroke(frame.left, height, frame.right, height, "grid"))
        parts.append(write(text, frame.left - 6, height + 4, anchor="end"))
    for value, text in frame.x.ticks:
        place = frame.across(value)
        parts.append(stroke(place, frame.bottom, place, frame.bottom + 4, "tick"))
        parts.append(write(text, place, frame.bottom + 17, anchor="middle"))
    parts.append(stroke(frame.left, frame.bottom, frame.right, frame.bottom, "axis"))
    middle = (frame.left + frame.right) / 2
    parts.append(write(frame.x.label, middle, HEIGHT - 8, anchor="middle", kind="name"))
    height = (frame.top + frame.bottom) / 2
    turned = f"rotate(-90 12 {px(height)})"
    parts.append(write(frame.y.label, 12, height, anchor="middle", kind="name", transform=turned))
    return join(parts)


def _draw_mark(mark: Mark, frame: Frame) -> Markup:
    if isinstance(mark, Bars):
        return join(_draw_bar(bar, mark.style, frame) for bar in mark.bars)
    if isinstance(mark, Rule):
        place = frame.across(mark.x)
        return join(
            [
                stroke(place, frame.top, place, frame.bottom, "rule"),
                write(mark.label, place, frame.top - 6, anchor="middle", kind="note"),
            ]
        )
    kind = "reference" if mark.style is None else f"series s{mark.style}"
    places = [(frame.across(x), frame.down(y)) for x, y in mark.points]
    path = "M" + "L".join(f"{px(x)} {px(y)}" for x, y in places) if places else ""
    line = element("path", d=path or None, class_=kind) if len(places) > 1 else Markup()
    if not mark.has_points and len(places) > 1:
        return line
    shapes = (draw_shape(mark.style or 0, x, y) for x, y in places)
    return join([line, *shapes])


def _draw_bar(bar: tuple[float, float, float], style: int, frame: Frame) -> Markup:
    left, right, value = frame.across(bar[0]), frame.across(bar[1]), frame.down(bar[2])
    return element(
        "rect",
        x=px(left + 0.5),
        y=px(value),
        width=px(max(right - left - 1, 0.5)),
        height=px(frame.bottom - value),
        class_=f"bar s{style}",
    )
