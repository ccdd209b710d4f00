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
from cxr.reports.html.markup import Child, Markup, element, join

NUM_STYLES: Final = 6
"""Series that can be told apart; style 0 is the first."""

_WIDTH: Final = 420
_HEIGHT: Final = 300
_LEFT: Final = 64
_TOP: Final = 20
_BOTTOM: Final = 46
_NARROW: Final = 14
_WIDE: Final = 104
_LINE: Final = 15
_LETTER: Final = 7.0

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
    frame = _Frame(x=x, y=y, right=_WIDTH - margin)
    drawn = [_draw_mark(mark, frame) for mark in marks]
    named = _label_ends(lines, frame) if labels == "end" else _label_corner(lines, frame)
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-description"),
        element("g", _draw_axes(frame), class_="axes", aria_hidden="true"),
        element("g", join(drawn), aria_hidden="true"),
        element("g", join(named), class_="labels", aria_hidden="true"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_labelledby=f"{name}-title {name}-description",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where values stand in the drawing, in px."""

    x: Axis
    y: Axis
    right: float
    left: float = _LEFT
    top: float = _TOP
    bottom: float = _HEIGHT - _BOTTOM

    def across(self, value: float) -> float:
        return self.left + self.x.place(value) * (self.right - self.left)

    def down(self, value: float) -> float:
        return self.bottom - self.y.place(value) * (self.bottom - self.top)


def _draw_axes(frame: _Frame) -> Markup:
    parts: list[Markup] = []
    for value, text in frame.y.ticks:
        height = frame.down(value)
        parts.append(_stroke(frame.left, height, frame.right, height, "grid"))
        parts.append(_write(text, frame.left - 6, height + 4, anchor="end"))
    for value, text in frame.x.ticks:
        place = frame.across(value)
        parts.append(_stroke(place, frame.bottom, place, frame.bottom + 4, "tick"))
        parts.append(_write(text, place, frame.bottom + 17, anchor="middle"))
    parts.append(_stroke(frame.left, frame.bottom, frame.right, frame.bottom, "axis"))
    middle = (frame.left + frame.right) / 2
    parts.append(_write(frame.x.label, middle, _HEIGHT - 8, anchor="middle", kind="name"))
    height = (frame.top + frame.bottom) / 2
    turned = f"rotate(-90 12 {_px(height)})"
    parts.append(_write(frame.y.label, 12, height, anchor="middle", kind="name", transform=turned))
    return join(parts)


def _draw_mark(mark: Mark, frame: _Frame) -> Markup:
    if isinstance(mark, Bars):
        return join(_draw_bar(bar, mark.style, frame) for bar in mark.bars)
    if isinstance(mark, Rule):
        place = frame.across(mark.x)
        return join(
            [
                _stroke(place, frame.top, place, frame.bottom, "rule"),
                _write(mark.label, place, frame.top - 6, anchor="middle", kind="note"),
            ]
        )
    kind = "reference" if mark.style is None else f"series s{mark.style}"
    places = [(frame.across(x), frame.down(y)) for x, y in mark.points]
    path = "M" + "L".join(f"{_px(x)} {_px(y)}" for x, y in places) if places else ""
    line = element("path", d=path or None, class_=kind) if len(places) > 1 else Markup()
    if not mark.has_points and len(places) > 1:
        return line
    shapes = (_draw_shape(mark.style or 0, x, y) for x, y in places)
    return join([line, *shapes])


def _draw_bar(bar: tuple[float, float, float], style: int, frame: _Frame) -> Markup:
    left, right, value = frame.across(bar[0]), frame.across(bar[1]), frame.down(bar[2])
    return element(
        "rect",
        x=_px(left + 0.5),
        y=_px(value),
        width=_px(max(right - left - 1, 0.5)),
        height=_px(frame.bottom - value),
        class_=f"bar s{style}",
    )


def _draw_shape(style: int, x: float, y: float) -> Markup:
    """Return the mark of one point; every style has a shape of its own."""
    shapes = {
        0: "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
        1: "m-3.2 -3.2h6.4v6.4h-6.4z",
        2: "m0 -4.4l4.2 7.4h-8.4z",
        3: "m0 -4.6l4.6 4.6l-4.6 4.6l-4.6 -4.6z",
        4: "m0 4.4l4.2 -7.4h-8.4z",
        5: "m-4.4 -1.3h3.1v-3.1h2.6v3.1h3.1v2.6h-3.1v3.1h-2.6v-3.1h-3.1z",
    }
    return element("path", d=f"M{_px(x)} {_px(y)}{shapes[style]}", class_=f"point s{style}")


def _label_ends(lines: Sequence[Line], frame: _Frame) -> list[Markup]:
    """Write each line's label at its end, and none over another."""
    ends = sorted(
        (frame.down(line.points[-1][1]), place) for place, line in enumerate(lines) if line.points
    )
    heights: list[float] = []
    for height, _ in ends:
        heights.append(max(height, heights[-1] + _LINE) if heights else height)
    # What would stand below the frame moves all of them up.
    excess = max(heights[-1] - frame.bottom, 0.0) if heights else 0.0
    room = _WIDTH - frame.right - 8
    return [
        _write(
            _fit(lines[place].label, room),
            frame.right + 7,
            height - excess + 4,
            kind=f"label s{lines[place].style}",
        )
        for height, (_, place) in zip(heights, ends, strict=True)
    ]


def _label_corner(lines: Sequence[Line], frame: _Frame) -> list[Markup]:
    """Write all labels into the lower right corner, each beside a piece of its line."""
    if not lines:
        return []
    longest = max(len(line.label) for line in lines)
    room = (frame.right - frame.left) * 0.75
    width = min(longest * _LETTER + 34, room)
    left, top = frame.right - width - 4, frame.bottom - len(lines) * _LINE - 6
    box = element(
        "rect",
        x=_px(left - 4),
        y=_px(top - 3),
        width=_px(width + 6),
        height=_px(len(lines) * _LINE + 6),
        class_="key",
    )
    parts = [box]
    for place, line in enumerate(lines):
        height = top + place * _LINE + _LINE / 2
        kind = "reference" if line.style is None else f"series s{line.style}"
        parts.append(_stroke(left, height, left + 24, height, kind))
        if line.has_points and line.style is not None:
            parts.append(_draw_shape(line.style, left + 12, height))
        parts.append(_write(_fit(line.label, width - 30), left + 30, height + 4, kind="label"))
    return parts


def _fit(text: str, room_px: float) -> str:
    most = max(int(room_px / _LETTER), 2)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _stroke(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("path", d=f"M{_px(x1)} {_px(y1)}L{_px(x2)} {_px(y2)}", class_=kind)


def _write(
    text: Child,
    x: float,
    y: float,
    *,
    anchor: str | None = None,
    kind: str | None = None,
    transform: str | None = None,
) -> Markup:
    return element(
        "text",
        text,
        x=_px(x),
        y=_px(y),
        text_anchor=anchor,
        class_=kind,
        transform=transform,
    )


def _px(value: float) -> str:
    """Return a length to a tenth of a pixel."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
