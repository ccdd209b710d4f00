"""Progress of a series of runs on stderr: a line a run on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cxr.cli.console import print_note
from cxr.errors import ExitCode
from cxr.interruption import has_signal, held
from cxr.progress import SILENCE, Progress

if TYPE_CHECKING:
    from cxr.cli.series_bars import SeriesBars
    from cxr.repeat.plan import RunPlan
    from cxr.repeat.pool import RunEnd, Watcher


@contextmanager
def shown_series(num_runs: int, *, quiet: bool, together: bool) -> Iterator[Watcher]:
    """Show how a series goes; how a run failed is told even if quiet.

    Args:
        num_runs: How many there are.
        quiet: Whether progress is left out.
        together: Whether several run at a time.
    """
    with held():
        if quiet:
            yield _Quiet()
        elif sys.stderr.isatty():
            from cxr.cli.series_bars import SeriesBars

            with SeriesBars(num_runs) as bars:
                yield _Bars(bars)
        else:
            yield _Lines(num_runs, together=together)


def tell_end(plan: RunPlan, end: RunEnd) -> list[str]:
    """Return what is to be said of a run's end: nothing where it completed or all are stopped."""
    if end.code == ExitCode.OK or (has_signal() and end.code == ExitCode.INTERRUPTED):
        return []
    from cxr.reports.repeat_text import describe_end

    words = [f"  {line}" for line in end.last_words.rstrip().splitlines()]
    return [f"{plan.name} {describe_end(end)}", *words]


class _Quiet:
    """Says what went wrong and nothing else."""

    def start(self, plan: RunPlan) -> Progress:
        """Say nothing."""
        del plan
        return SILENCE

    def end(self, plan: RunPlan, end: RunEnd) -> None:
        """Say how the run failed, if it did."""
        for line in tell_end(plan, end):
            print_note(line)


class _Bars:
    """Bars, and above them what went wrong."""

    def __init__(self, bars: SeriesBars) -> None:
        self._bars = bars

    def start(self, plan: RunPlan) -> Progress:
        """Add the run's bar."""
        return self._bars.start(plan)

    def end(self, plan: RunPlan, end: RunEnd) -> None:
        """End the run's bar."""
        for line in tell_end(plan, end):
            self._bars.say(line)
        self._bars.end(plan, end)


class _Lines(_Quiet):
    """A line when a run begins, and each of its own; its name stands before those if needed."""

    def __init__(self, num_runs: int, *, together: bool) -> None:
        self._num_runs, self._together = num_runs, together
        self._begun = 0

    def start(self, plan: RunPlan) -> Progress:
        """Say which run begins, and what is varied in it."""
        self._begun += 1
        print_note(f"{plan.name.replace('-', ' ')} of {self._num_runs}")
        for text in plan.varied:
            print_note(f"  {text}")
        return _RunLines(f"{plan.name}: " if self._together else "")


class _RunLines:
    """The lines of one run."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self._told = prefix, ""

    def advance(self, what: str, done: int, total: int) -> None:
        """Say that something is done, once, unless it is said otherwise."""
        if done == total and what != self._told and not what.startswith(("epoch", "predicting")):
            self.note(f"{what}: {total:,}")
            self._told = what

    def note(self, text: str) -> None:
        """Print the line."""
        print_note(f"{self._prefix}{text}")
