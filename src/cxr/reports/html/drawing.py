"""The parts that charts are drawn with: where values stand, strokes, points and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cxr.reports.html.axes import Axis
from cxr.reports.html.markup import Child, Markup, element

WIDTH: Final = 420
"""Of every chart, in px of its own; the page scales it."""

HEIGHT: Final = 300
"""Likewise."""

_LEFT: Final = 64
_TOP: Final = 20
_BOTTOM: Final = 46


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where values stand in the drawing.

    Attributes:
        x: The lower axis.
        y: The left axis.
        right: Where the lower axis ends, in px.
        left: Where it begins.
        top: Where the left axis ends.
        bottom: Where it begins.
    """

    x: Axis
    y: Axis
    right: float
    left: float = _LEFT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM

    def across(self, value: float) -> float:
        """Return where a value of the lower axis stands, in px from the left."""
        return self.left + self.x.place(value) * (self.right - self.left)

    def down(self, value: float) -> float:
        """Return where a value of the left axis stands, in px from the top."""
        return self.bottom - self.y.place(value) * (self.bottom - self.top)


def draw_shape(style: int, x: float, y: float) -> Markup:
    """Return the mark of one point; every style has a shape of its own."""
    shapes = {
        0: "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
        1: "m-3.2 -3.2h6.4v6.4h-6.4z",
        2: "m0 -4.4l4.2 7.4h-8.4z",
        3: "m0 -4.6l4.6 4.6l-4.6 4.6l-4.6 -4.6z",
        4: "m0 4.4l4.2 -7.4h-8.4z",
        5: "m-4.4 -1.3h3.1v-3.1h2.6v3.1h3.1v2.6h-3.1v3.1h-2.6v-3.1h-3.1z",
    }
    return element("path", d=f"M{px(x)} {px(y)}{shapes[style]}", class_=f"point s{style}")


def stroke(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line of a class of the style sheet."""
    return element("path", d=f"M{px(x1)} {px(y1)}L{px(x2)} {px(y2)}", class_=kind)


def write(
    text: Child,
    x: float,
    y: float,
    *,
    anchor: str | None = None,
    kind: str | None = None,
    transform: str | None = None,
) -> Markup:
    """Return words that begin, end or have their middle at a place."""
    return element(
        "text",
        text,
        x=px(x),
        y=px(y),
        text_anchor=anchor,
        class_=kind,
        transform=transform,
    )


def px(value: float) -> str:
    """Return a length to a tenth of a pixel."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
