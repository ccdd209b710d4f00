"""The display of a series fits a narrow terminal, and says how each run ended."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cxr.cli.series_bars import SeriesBars
from cxr.repeat.plan import plan_equal_runs
from cxr.repeat.pool import RunEnd
from support.recipes import load_recipe, vectors

CONFIG = load_recipe(vectors(train__epochs=1000))


def show(bars: SeriesBars, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(bars._bars.get_renderable())
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80])
def test_each_run_has_one_line(width):
    first, second, _ = plan_equal_runs(CONFIG, 3)
    bars = SeriesBars(3)
    one, two = bars.start(first), bars.start(second)
    one.advance("epoch 499", 1, 3)
    two.advance("reading images", 20, 500)
    lines = show(bars, width)
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    assert [line.split()[0] for line in lines] == ["run-1", "run-2", "runs"]
    assert "epoch 500/1000" in lines[0]
    assert "reading images 20/500" in lines[1]
    assert "0 of 3" in lines[2]
    bars.end(first, RunEnd(name="run-1", code=0, last_words=""))
    bars.end(second, RunEnd(name="run-2", code=-9, last_words=""))
    lines = show(bars, width)
    assert ["completed" in lines[0], "killed (SIGKILL)" in lines[1], "1 of 3" in lines[2]] == [
        True
    ] * 3


@pytest.mark.parametrize(
    ("columns", "width"), [("200000000", 80), ("5", 80), ("wide", 80), ("100", 100)]
)
def test_a_width_that_nobody_can_read_is_not_used(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.delenv("LINES", raising=False)
    assert SeriesBars(3)._bars.console.width == width


@pytest.mark.parametrize("code", [3, -9, 130])
def test_only_runs_that_completed_are_counted(code: int):
    first, second, _ = plan_equal_runs(CONFIG, 3)
    bars = SeriesBars(3)
    bars.start(first)
    bars.end(first, RunEnd(name="run-1", code=code, last_words=""))
    assert "0 of 3" in show(bars, 80)[-1]
    bars.start(second)
    bars.end(second, RunEnd(name="run-2", code=0, last_words=""))
    assert "1 of 3" in show(bars, 80)[-1]
    assert bars._bars.tasks[-1].completed == 1


def test_many_runs_leave_the_screen_when_they_have_ended():
    bars = SeriesBars(100)
    for plan in plan_equal_runs(CONFIG, 50):
        bars.start(plan)
        bars.end(plan, RunEnd(name=plan.name, code=0, last_words=""))
    assert [line.split()[0] for line in show(bars, 80)] == ["runs"]
