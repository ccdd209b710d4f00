"""The labels of a chart's lines: each at its line's end, or all beside pieces of their lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from cxr.reports.html.drawing import WIDTH, Frame, draw_shape, px, stroke, write
from cxr.reports.html.markup import Markup, element

_LINE: Final = 15
_LETTER: Final = 7.0


class Labelled(Protocol):
    """A line that has a label."""

    @property
    def points(self) -> Sequence[tuple[float, float]]:
        """In the units of the axes."""

    @property
    def label(self) -> str:
        """What it is."""

    @property
    def style(self) -> int | None:
        """The number of its style; None: a reference."""

    @property
    def has_points(self) -> bool:
        """Whether its points are marked."""


def label_ends(lines: Sequence[Labelled], frame: Frame) -> list[Markup]:
    """Write each line's label at its end, and none over another."""
    ends = sorted(
        (frame.down(line.points[-1][1]), place) for place, line in enumerate(lines) if line.points
    )
    heights: list[float] = []
    for height, _ in ends:
        heights.append(max(height, heights[-1] + _LINE) if heights else height)
    # What would stand below the frame moves all of them up.
    excess = max(heights[-1] - frame.bottom, 0.0) if heights else 0.0
    room = WIDTH - frame.right - 8
    return [
        write(
            _fit(lines[place].label, room),
            frame.right + 7,
            height - excess + 4,
            kind=f"label s{lines[place].style}",
        )
        for height, (_, place) in zip(heights, ends, strict=True)
    ]


def label_corner(lines: Sequence[Labelled], frame: Frame) -> list[Markup]:
    """Write all labels into the lower right corner, each beside a piece of its line."""
    if not lines:
        return []
    longest = max(len(line.label) for line in lines)
    room = (frame.right - frame.left) * 0.75
    width = min(longest * _LETTER + 34, room)
    left, top = frame.right - width - 4, frame.bottom - len(lines) * _LINE - 6
    box = element(
        "rect",
        x=px(left - 4),
        y=px(top - 3),
        width=px(width + 6),
        height=px(len(lines) * _LINE + 6),
        class_="key",
    )
    parts = [box]
    for place, line in enumerate(lines):
        height = top + place * _LINE + _LINE / 2
        kind = "reference" if line.style is None else f"series s{line.style}"
        parts.append(stroke(left, height, left + 24, height, kind))
        if line.has_points and line.style is not None:
            parts.append(draw_shape(line.style, left + 12, height))
        parts.append(write(_fit(line.label, width - 30), left + 30, height + 4, kind="label"))
    return parts


def _fit(text: str, room_px: float) -> str:
    most = max(int(room_px / _LETTER), 2)
    return text if len(text) <= most else f"{text[: most - 1]}…"
