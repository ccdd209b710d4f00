"""The picture of a timeline: lanes of coloured and lettered stretches over an axis of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

from cxr.reports.html.axes import Axis, make_axis
from cxr.reports.html.charts import NUM_STYLES
from cxr.reports.html.markup import Markup, element, join

_WIDTH: Final = 420
_LEFT: Final = 92
_RIGHT: Final = 62
_TOP: Final = 20
_LANE: Final = 24
_BAR: Final = 15
_BOTTOM: Final = 38
_LETTER: Final = 6.3
_ROOM_FOR_LETTER: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One run, or several with equal ledgers.

    Attributes:
        label: What it is.
        stretches: First step, the step behind the last, and the number of what they have in
            common; -1 is the initial state.
        divergence: The step at which it leaves the first lane; None where it does not.
        resumed_at: Steps at which it went on after a stop.
        ending: How it ended, where it did not complete.
    """

    label: str
    stretches: Sequence[tuple[int, int, int]]
    divergence: int | None
    resumed_at: Sequence[int]
    ending: str


def name_stretch(number: int) -> str:
    """Return the letters of what stretches have in common: A to Z, then AA, AB and so on."""
    letters = ""
    left = number + 1
    while left:
        left, rest = divmod(left - 1, len(ascii_uppercase))
        letters = ascii_uppercase[rest] + letters
    return letters


def draw_lanes(lanes: Sequence[Lane], *, title: str, description: str) -> Markup:
    """Return the picture.

    Args:
        lanes: From top to bottom; at least one, each with a stretch.
        title: What it shows.
        description: What a reader who does not see it should know.
    """
    last = max(end for lane in lanes for _, end, _ in lane.stretches)
    scale = _Scale(axis=_make_axis(last))
    height = _TOP + _LANE * len(lanes) + _BOTTOM
    drawn = [_draw_lane(lane, _TOP + _LANE * place, scale) for place, lane in enumerate(lanes)]
    return element(
        "svg",
        element("title", title, id="timeline-title"),
        element("desc", description, id="timeline-description"),
        element("g", _draw_axis(scale, height), class_="axes", aria_hidden="true"),
        element("g", join(drawn), aria_hidden="true"),
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_labelledby="timeline-title timeline-description",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    axis: Axis

    def across(self, step: float) -> float:
        """Return where a step begins, in px."""
        room = _WIDTH - _LEFT - _RIGHT
        return _LEFT + self.axis.place(min(max(step, self.axis.low), self.axis.high)) * room


def _make_axis(last: int) -> Axis:
    """Return an axis from the initial state to the end of the longest lane."""
    round_ones = make_axis("Step", [0.0, float(max(last, 1))])
    ticks = [(value, text) for value, text in round_ones.ticks if 0 <= value <= last]
    whole = [(value, text) for value, text in ticks if value == int(value)]
    return Axis(label="Step", low=-1.0, high=float(max(last, 1)), ticks=whole)


def _draw_axis(scale: _Scale, height: int) -> Markup:
    floor = height - _BOTTOM
    parts = [_stroke(_LEFT, floor, _WIDTH - _RIGHT, floor, "axis")]
    for value, text in scale.axis.ticks:
        place = scale.across(value)
        parts.append(_stroke(place, _TOP - 4, place, floor, "grid"))
        parts.append(_write(text, place, floor + 15, anchor="middle"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(_write(scale.axis.label, middle, height - 6, anchor="middle", kind="name"))
    return join(parts)


def _draw_lane(lane: Lane, top: float, scale: _Scale) -> Markup:
    text = top + _BAR - 3
    parts = [_write(_fit(lane.label, _LEFT - 8), _LEFT - 6, text, anchor="end", kind="name")]
    for begin, end, number in lane.stretches:
        left, right = scale.across(begin), scale.across(end)
        width = max(right - left, 1.5)
        style = number % NUM_STYLES
        parts.append(
            element(
                "rect",
                x=_px(left),
                y=_px(top),
                width=_px(width),
                height=_px(_BAR),
                class_=f"lane s{style}",
            )
        )
        letters = name_stretch(number)
        if width >= _ROOM_FOR_LETTER + _LETTER * (len(letters) - 1):
            middle = left + width / 2
            parts.append(_write(letters, middle, text, anchor="middle", kind="stretch"))
    if lane.divergence is not None:
        parts.append(_draw_divergence(scale.across(lane.divergence), top))
    for step in lane.resumed_at:
        place = scale.across(step)
        parts.append(_stroke(place, top - 4, place, top + _BAR + 4, "stop"))
    ending = _describe_ending(lane)
    if ending:
        place = scale.across(lane.stretches[-1][1]) + 5
        parts.append(_write(ending, place, text, kind="note"))
    return join(parts)


def _draw_divergence(place: float, top: float) -> Markup:
    """Return a wedge on the lane's upper edge, at the step at which it leaves the first."""
    return element("path", d=f"M{_px(place)} {_px(top + 3)}l-4.5 -8h9z", class_="parting")


def _describe_ending(lane: Lane) -> str:
    return {"running": "no end"}.get(lane.ending, lane.ending)


def _fit(text: str, room_px: float) -> str:
    most = max(int(room_px / _LETTER), 2)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _stroke(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("path", d=f"M{_px(x1)} {_px(y1)}L{_px(x2)} {_px(y2)}", class_=kind)


def _write(
    text: str, x: float, y: float, *, anchor: str | None = None, kind: str | None = None
) -> Markup:
    return element("text", text, x=_px(x), y=_px(y), text_anchor=anchor, class_=kind)


def _px(value: float) -> str:
    """Return a length to a tenth of a pixel."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
