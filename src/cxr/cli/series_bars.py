"""Bars of a series of runs on a terminal: one a run, over all of its epochs."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, Self

from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from cxr.cli.console import format_rate, open_console
from cxr.errors import ExitCode
from cxr.plain_text import show_plainly
from cxr.reports.repeat_text import describe_end

if TYPE_CHECKING:
    from rich.progress import Task, TaskID

    from cxr.repeat.plan import RunPlan
    from cxr.repeat.pool import RunEnd

_EPOCH: Final = re.compile(r"epoch (\d+)")
_MAX_LINES: Final = 12
"""Runs of which each keeps its line when it has ended: more would push others off the screen."""


class _RateColumn(ProgressColumn):
    """How many steps are done in a second."""

    def render(self, task: Task) -> Text:
        """Return the rate of epochs times the steps that each has."""
        speed = task.finished_speed or task.speed
        return Text(format_rate(speed and speed * task.fields["steps"]))


class SeriesBars:
    """A bar for each run that has begun, and below them one that counts those that completed.

    Args:
        num_runs: How many there are.
    """

    def __init__(self, num_runs: int) -> None:
        self._keeps = num_runs <= _MAX_LINES
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[where]}", markup=False),
            _RateColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=open_console(sys.stderr),
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._num_runs, self._num_completed = num_runs, 0
        self._all = self._add("runs", num_runs, f"0 of {num_runs}")

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Draw for the last time."""
        self._bars.stop()

    def start(self, plan: RunPlan) -> _RunBar:
        """Add a bar above that of all runs."""
        self._bars.remove_task(self._all)
        task = self._add(plan.name, plan.config.train.epochs, "starting")
        self._tasks[plan.name] = task
        where = f"{self._num_completed} of {self._num_runs}"
        self._all = self._add("runs", self._num_runs, where)
        self._bars.update(self._all, completed=self._num_completed)
        return _RunBar(self._bars, task, plan)

    def end(self, plan: RunPlan, end: RunEnd) -> None:
        """Say how the run ended."""
        task = self._tasks[plan.name]
        if end.code == ExitCode.OK:
            self._num_completed += 1
            self._bars.update(task, completed=plan.config.train.epochs)
        where = f"{self._num_completed} of {self._num_runs}"
        self._bars.update(self._all, completed=self._num_completed, where=where)
        self._bars.update(task, where=describe_end(end))
        self._bars.stop_task(task)
        if not self._keeps:
            self._bars.remove_task(task)

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(show_plainly(text), markup=False)

    def _add(self, name: str, total: int, where: str) -> TaskID:
        return self._bars.add_task(name, total=total, where=where, steps=0)


class _RunBar:
    """The bar of one run."""

    def __init__(self, bars: RichProgress, task: TaskID, plan: RunPlan) -> None:
        self._bars, self._task, self._plan = bars, task, plan

    def advance(self, what: str, done: int, total: int) -> None:
        """Move the bar by steps; other work is named beside it."""
        epoch = _EPOCH.fullmatch(what)
        if epoch is None:
            self._bars.update(self._task, where=f"{what} {done}/{total}")
            return
        number, epochs = int(epoch[1]), self._plan.config.train.epochs
        self._bars.update(
            self._task,
            completed=number + done / total,
            where=f"epoch {number + 1}/{epochs}",
            steps=total,
        )

    def note(self, text: str) -> None:
        """Print the line above the bars, unless the bar says it too."""
        if not text.startswith("epoch "):
            name = self._plan.name
            self._bars.console.print(show_plainly(f"{name}: {text}"), markup=False)
