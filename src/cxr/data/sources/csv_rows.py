"""Reading a table row by row: comma-separated UTF-8 with a head line, bounded in every direction.

Source: RFC 4180 for quotes, commas and line ends; a byte order mark before the head is left out.
"""

from __future__ import annotations

import csv
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from cxr.errors import DataError

MAX_LINE: Final = 1_000_000
"""Characters of one line; a file that is no table may have no end of line at all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        line: Number of its last line, from 1.
        cells: Its texts, by column.
    """

    line: int
    cells: dict[str, str]


class UnfitRowError(Exception):
    """What is wrong with one row; collected, so that many are named at once."""


def read_rows(file: Path) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Open a table and return its columns, and its rows as they are read.

    Empty lines are passed over.

    Raises:
        DataError: It cannot be read, has no head or names a column twice; while rows are read, one
            has more or fewer cells than the head, or it is not UTF-8 or not a table.
    """
    rows = _read(file)
    head = next(rows, None)
    if head is None:
        raise _refuse(file, "the table is empty", "it needs a head line that names its columns")
    _, columns = head
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        named = ", ".join(map(repr, twice))
        raise _refuse(file, f"the table names a column twice: {named}", "rename one of them")
    return tuple(columns), _name_cells(file, columns, rows)


def _name_cells(
    file: Path, columns: list[str], rows: Iterator[tuple[int, list[str]]]
) -> Iterator[Row]:
    for line, cells in rows:
        if len(cells) != len(columns):
            is_short = len(cells) < len(columns)
            raise _refuse(
                f"{file}:{line}",
                f"a row of the table has {len(cells)} cells, its head has {len(columns)}",
                "it was cut short, or lacks commas: complete it"
                if is_short
                else "put quotes around a cell that holds a comma",
            )
        yield Row(line, dict(zip(columns, cells, strict=True)))


def _read(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each row that is not empty."""
    line = 0
    try:
        # A pipe would keep its reader waiting for ever.
        if not stat.S_ISREG(file.stat().st_mode):
            raise _refuse(file, "the table is no regular file", "name a file in data.csv.file")
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(_read_lines(file, stream), strict=True)
            for cells in reader:
                line = reader.line_num
                if cells:
                    yield line, cells
    except OSError as error:
        problem = f"cannot read the table: {error.strerror or error}"
        raise _refuse(file, problem, "correct data.csv.file, or restore the file") from error
    except UnicodeDecodeError as error:
        # Where in the file is not known: it is decoded in blocks.
        raise _refuse(file, "the table is not UTF-8", "save it as UTF-8") from error
    except csv.Error as error:
        problem = f"the table cannot be read on: {error}"
        raise _refuse(
            f"{file}:{line + 1}", problem, "look for a quote without its other"
        ) from error


def _read_lines(file: Path, stream: TextIO) -> Iterator[str]:
    """Yield lines, none of them without end."""
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            problem = f"a line of the table has {MAX_LINE:,} characters or more"
            raise _refuse(file, problem, "name a table of comma-separated values in data.csv.file")
        yield line


def _refuse(where: Path | str, problem: str, hint: str) -> DataError:
    return DataError(problem, where=str(where), hint=hint)
