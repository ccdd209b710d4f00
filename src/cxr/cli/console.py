"""The only place that prints: results on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self, TextIO

from cxr.interruption import InterruptibleProgress, held
from cxr.plain_text import show_plainly
from cxr.progress import SILENCE, Progress
from cxr.progress_pipe import PipeProgress, end_with_reader

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.progress import Progress as RichProgress
    from rich.progress import Task, TaskID

_WIDTH: Final = 80
"""Columns where there is no terminal, and nobody names another number."""
_SIZES: Final = ("COLUMNS", "LINES")
_MIN_SIZE: Final = 20
_MAX_SIZE: Final = 1000
_SHORT: Final = 26
_WHOLE: Final = 10


def print_json(document: Any) -> None:
    """Print one JSON document on stdout.

    Where GitHub's runner reads along, ``##[`` anywhere in a line would be a command to it; in JSON
    the sign has another spelling.
    """
    text = json.dumps(document, indent=2, ensure_ascii=True)
    sys.stdout.write(text.replace("##[", "\\u0023#[") + "\n")


def print_line(text: str = "") -> None:
    """Print one line on stdout."""
    sys.stdout.write(text + "\n")


def print_note(text: str) -> None:
    """Print one line on stderr; a path in it may hold what a terminal would obey."""
    sys.stderr.write(show_plainly(text) + "\n")


def shorten(text: str, width: int = _SHORT) -> str:
    """Fit a text into a column."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def print_table(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str | Sequence[str]]],
    *,
    close: bool = False,
    num_whole: int = 1,
) -> None:
    """Print a table that fits the terminal, or 80 columns where there is none.

    The variable ``COLUMNS`` may say otherwise. With ``close`` its columns stand close together and
    to the right, as many counts need it. The first ``num_whole`` columns are not folded. A cell of
    several lines is a sequence of them: a line end within a text is escaped.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    print_line(f"{title}:")
    console = open_console(sys.stdout)
    padding = 0 if close else 1
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, padding))
    for place, name in enumerate(header):
        # What a row is about stays whole as long as that fits; the rest folds.
        justify: JustifyMethod = "right" if close else "left"
        table.add_column(name, overflow="fold", no_wrap=place < num_whole, justify=justify)
    for row in rows:
        # As Text: a path or a value is never read as markup, and no terminal obeys it.
        table.add_row(*(Text(_lay_out(cell)) for cell in row))
    console.print(table)


def _lay_out(cell: str | Sequence[str]) -> str:
    """Return a cell's lines, each without what a terminal would obey."""
    return "\n".join(map(show_plainly, [cell] if isinstance(cell, str) else cell))


def count_columns() -> int:
    """Return how many columns a table on stdout may take."""
    return open_console(sys.stdout).width


def open_console(stream: TextIO) -> Console:
    """Return rich's console on a stream, as wide as its terminal or as ``COLUMNS`` says.

    Source: POSIX.1-2017, Base Definitions, 8.3: a user-preferred width in column positions.
    """
    from rich.console import Console

    # rich takes any digits at their word, also where they are no number or too long for one.
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in _SIZES or _is_sensible_size(value)
    }
    width = None if stream.isatty() or "COLUMNS" in variables else _WIDTH
    return Console(file=stream, highlight=False, width=width, _environ=variables)


def _is_sensible_size(text: str) -> bool:
    """Say whether a variable holds a number of columns or lines that can be laid out for."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_SIZE))
    return is_number and _MIN_SIZE <= int(text) <= _MAX_SIZE


@contextmanager
def shown_progress(*, quiet: bool, pipe: int | None = None) -> Iterator[Progress]:
    """Show progress on stderr: bars on a terminal, plain lines elsewhere, nothing if quiet.

    With a pipe it goes there instead, to another process of cxr that shows it. A signal to stop is
    obeyed when progress is made.
    """
    with held():
        if pipe is not None:
            end_with_reader(pipe)
            yield InterruptibleProgress(PipeProgress(pipe))
        elif quiet:
            yield InterruptibleProgress(SILENCE)
        elif sys.stderr.isatty():
            with _Bars() as bars:
                yield InterruptibleProgress(bars)
        else:
            yield InterruptibleProgress(_Lines())


def format_rate(per_second: float | None) -> str:
    """Return how many parts are done in a second; nothing while that is unknown."""
    if not per_second:
        return ""
    return f"{per_second:,.0f}/s" if per_second >= _WHOLE else f"{per_second:.2g}/s"


class _Lines:
    """One plain line when a long piece of work ends."""

    def __init__(self) -> None:
        self._told = ""

    def advance(self, what: str, done: int, total: int) -> None:
        """Say that something is done, once, unless it is said otherwise."""
        if done == total and what != self._told and not what.startswith(("epoch", "predicting")):
            print_note(f"{what}: {total:,}")
            self._told = what

    def note(self, text: str) -> None:
        """Print the line."""
        print_note(text)


class _Bars:
    """A bar for what is being done now."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        class RateColumn(TextColumn):
            """How many parts are done in a second."""

            def render(self, task: Task) -> Text:
                return Text(format_rate(task.finished_speed or task.speed))

        self._bars: RichProgress = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(""),
            TimeRemainingColumn(),
            console=open_console(sys.stderr),
            transient=True,
        )
        self._task: TaskID | None = None
        self._what = ""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def advance(self, what: str, done: int, total: int) -> None:
        """Move the bar, starting a new one for another piece of work."""
        if what != self._what or self._task is None:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task, self._what = self._bars.add_task(what, total=total), what
        self._bars.update(self._task, completed=done, total=total)

    def note(self, text: str) -> None:
        """Print the line above the bar."""
        self._bars.console.print(show_plainly(text), markup=False)
