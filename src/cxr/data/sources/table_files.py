"""The files that a table lists, of a table by itself: no config says what its columns mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from cxr.config.data_section import CsvConfig, DataConfig
from cxr.data.sources.csv_rows import read_rows
from cxr.data.sources.csv_table import CsvSource
from cxr.data.sources.source import FoundImage
from cxr.errors import DataError

_COLUMN: Final = "path"


class TableFilesSource(CsvSource):
    """Image files that a table names in its column ``path``; their labels and splits are unknown.

    Large and small letters are one in the column's name: CheXpert calls it ``Path``.
    """

    def __init__(self, file: Path) -> None:
        column = _find_column(file)
        csv = CsvConfig(file=str(file), path=column)
        super().__init__(DataConfig(source="csv", root=str(file.parent), csv=csv))

    def find(self) -> list[FoundImage]:
        """List every file of the table, without reading any.

        Raises:
            DataError: The table or some of its rows cannot be used; the first few are named.
        """
        return [replace(image, label="", split="") for image in super().find()]


def _find_column(file: Path) -> str:
    """Return the name of the column that holds paths.

    Raises:
        DataError: The table cannot be read, or not one column has that name.
    """
    columns, _ = read_rows(file)
    named = [name for name in columns if name.strip().lower() == _COLUMN]
    if _COLUMN in named:
        return _COLUMN
    if len(named) != 1:
        raise DataError(
            f"the table has {'no' if not named else 'more than one'} column called {_COLUMN}",
            where=str(file),
            hint="verify a config in its place: its data.csv says what the columns mean",
        )
    return named[0]
