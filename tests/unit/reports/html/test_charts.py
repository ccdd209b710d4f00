"""Axes begin and end at round values, and charts draw what they are given, where it belongs."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.reports.html.axes import make_axis, make_count_axis, make_share_axis
from cxr.reports.html.charts import NUM_STYLES, Bars, Line, Rule, draw_chart
from support.html_pages import read_page

NUMBERS = st.floats(min_value=-1e90, max_value=1e90, allow_subnormal=False)


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_an_axis_holds_every_value_between_a_few_round_ticks(values: list[float]):
    axis = make_axis("loss", values)
    assert axis.low <= min(values) <= max(values) <= axis.high
    assert 2 <= len(axis.ticks) <= 8
    assert all(0 <= axis.place(value) <= 1 for value in values)
    assert [value for value, _ in axis.ticks] == sorted({value for value, _ in axis.ticks})
    # A tick's text is its value.
    assert [float(text) for _, text in axis.ticks] == [value for value, _ in axis.ticks]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.19], ["0", "0.5", "1", "1.5"]),
        ([0.0, 0.003], ["0", "0.001", "0.002", "0.003"]),
        ([-1.05e16, -9.1e15], ["-1.05e+16", "-1e+16", "-9.5e+15", "-9e+15"]),
        ([7.0], ["3", "4", "5", "6", "7", "8", "9", "10", "11"]),
        ([], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_written_as_short_as_they_are(values: list[float], ticks: list[str]):
    found = [text for _, text in make_axis("loss", values).ticks]
    if values == [7.0]:
        assert (found[0], found[-1]) == ("2", "12")
    else:
        assert found == ticks


@pytest.mark.parametrize(
    ("values", "is_share", "ends"),
    [
        ([1.0, 1.0], True, (0.5, 1.0)),
        ([0.0], True, (0.0, 1.0)),
        ([0.75], True, (0.2, 1.0)),
        ([1.0, 1.0], False, (0.4, 1.6)),
        # The Brier score of several classes goes up to 2, and an interval may reach beyond 1.
        ([1.5], True, (0.5, 2.5)),
        ([0.9, 1.1], True, (0.9, 1.1)),
    ],
)
def test_room_around_a_share_ends_where_shares_end(
    values: list[float],
    is_share: bool,  # noqa: FBT001
    ends: tuple[float, float],
):
    axis = make_axis("accuracy", values, is_share=is_share)
    assert (axis.low, axis.high) == ends


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_whole_numbers_have_whole_ticks(a: int, b: int):
    axis = make_count_axis("epoch", min(a, b), max(a, b))
    assert all(text == str(int(value)) for value, text in axis.ticks)
    assert 1 <= len(axis.ticks) <= 10


def draw(**changes):
    options = {
        "title": "Loss",
        "description": "from 1 to 0",
        "x": make_share_axis("epoch"),
        "y": make_share_axis("loss (nats)"),
        "marks": [Line(points=[(0, 1), (1, 0)], label="training")],
        **changes,
    }
    return draw_chart("chart", **options)


def test_a_line_goes_where_its_points_are():
    (line,) = re.findall(r'<path d="(M[^"]+)" class="series s0"></path>', draw(labels="end"))
    assert line == "M72 20L316 254"


def test_series_differ_without_their_colour():
    lines = [Line(points=[(0, 0), (1, 1)], style=s, has_points=True) for s in range(NUM_STYLES)]
    drawn = str(draw(marks=lines))
    shapes = set(re.findall(r'd="M[\d.]+ [\d.]+(m[^"]+)" class="point', drawn))
    assert len(shapes) == NUM_STYLES
    for style in range(NUM_STYLES):
        assert f'class="series s{style}"' in drawn


def test_labels_at_the_ends_of_lines_do_not_stand_over_each_other():
    lines = [Line(points=[(0, 0), (1, 0.01 * place)], label=f"l{place}") for place in range(6)]
    found = read_page(draw(marks=lines, labels="end")).named("text")
    named = [one for one in found if one.text in {f"l{place}" for place in range(6)}]
    heights = sorted(float(one.attributes["y"]) for one in named)
    assert len(heights) == 6
    assert min(b - a for a, b in pairwise(heights)) >= 14.9
    assert heights[-1] < 260


def test_bars_and_rules_stand_on_the_axis():
    drawn = read_page(draw(marks=[Bars(bars=[(0.5, 1.0, 0.5)]), Rule(x=0.5, label="chosen")]))
    (bar,) = drawn.named("rect")
    top, height = float(bar.attributes["y"]), float(bar.attributes["height"])
    assert (top, top + height) == (137, 254)
    assert any(one.text == "chosen" for one in drawn.named("text"))


def test_a_line_of_one_point_or_none_is_a_point_or_nothing():
    assert 'class="point s0"' in draw(marks=[Line(points=[(0.5, 0.5)])])
    assert 'class="series' not in draw(marks=[Line(points=[])])


@pytest.mark.parametrize(("height", "corner"), [(0.95, "lower"), (0.05, "upper")])
def test_labels_stand_in_the_corner_where_less_is_drawn(height: float, corner: str):
    points = [(place / 20, height) for place in range(21)]
    found = read_page(draw(marks=[Line(points=points, label="a")])).named("text")
    (label,) = (one for one in found if one.text == "a")
    assert ("lower" if float(label.attributes["y"]) > 137 else "upper") == corner
