"""Samples named by a table: one image file a row, with its label or labels, patient and split."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from cxr.config.data_section import CsvConfig, DataConfig
from cxr.data.groups import derive_group
from cxr.data.sources.assignment import assign_by_group
from cxr.data.sources.csv_paths import find_path, require_file
from cxr.data.sources.csv_repeats import join_rows
from cxr.data.sources.csv_rows import Row, UnfitRowError, read_rows
from cxr.data.sources.image_files import ImageFiles
from cxr.data.sources.source import SPLITS, FoundImage, Stray
from cxr.errors import DataError
from cxr.label_text import BETWEEN, format_labels
from cxr.plain_text import list_first

SPLIT_NAMES: Final = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""What a split column may say where the config does not."""

_ANSWERS: Final[dict[str, bool | None]] = {
    "1": True,
    "1.0": True,
    "0": False,
    "0.0": False,
    "-1": None,
    "-1.0": None,
}
"""What a label column may say; None is uncertain. CheXpert's tables write them with a point."""
_POLICIES: Final[dict[str, bool | None]] = {"ignore": None, "zeros": False, "ones": True}
_MAX_NAMED: Final = 5


class CsvSource(ImageFiles):
    """Image files that a table names."""

    def __init__(self, config: DataConfig) -> None:
        self.file = Path(config.csv.file or "")
        self.root = Path(config.root) if config.root else self.file.parent
        self.classes = config.classes
        self._config = config

    def find(self) -> list[FoundImage]:
        """Read the table and label every image, without reading any.

        Raises:
            DataError: The root, the table or some of its rows cannot be used; the first few are
                named.
        """
        self._require_root()
        columns, rows = read_rows(self.file)
        self._require_columns(columns, list(_list_columns(self._config)))
        found: dict[str, FoundImage] = {}
        problems: list[str] = []
        first_lines: dict[str, int] = {}
        for row in rows:
            try:
                image = self._read_row(row)
                first = first_lines.setdefault(image.path, row.line)
                if first != row.line:
                    earlier = found[image.path]
                    image = join_rows(earlier, image, line=first, config=self._config)
            except UnfitRowError as error:
                problems.append(f"{self.file}:{row.line}: {error}")
                continue
            found[image.path] = image
        if problems:
            raise _describe(problems)
        if not found:
            raise DataError(
                "the table has no rows",
                where=str(self.file),
                hint="it needs one row for each image, below the head line",
            )
        assigned = self._divide(list(found.values()))
        return sorted(assigned, key=lambda image: (image.split, image.file.name, image.path))

    def read_cells(self, columns: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Return what further columns say of each image, by its path below the root.

        Args:
            columns: Names of columns, each by the config's field that names it.

        Raises:
            DataError: The table has no such column, or cannot be read, or its rows say different
                things of an image.
        """
        known, rows = read_rows(self.file)
        self._require_columns(known, list(columns.items()))
        chosen = set(columns.values())
        path = self._config.csv.path
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            cells = {name: row.cells[name] for name in chosen}
            earlier = found.setdefault(self._find_path(row.cells[path]), cells)
            for name in sorted(chosen):
                if earlier[name] != cells[name]:
                    raise DataError(
                        f"rows of one image differ in the column {name!r}",
                        where=f"{self.file}:{row.line}",
                        hint="name a column that says one thing of an image",
                    )
        return found

    def find_strays(self) -> list[Stray]:
        """Return nothing: samples are those that are listed, whatever else there may be."""
        return []

    def _divide(self, found: Sequence[FoundImage]) -> Sequence[FoundImage]:
        """Give samples their splits: those of the table, or by group."""
        if self._config.csv.split is None:
            return assign_by_group(found, self._config, pool=SPLITS)
        if self._config.validation_fraction:
            return assign_by_group(found, self._config, pool=("train", "val"))
        return found

    def _require_root(self) -> None:
        """Refuse a root that is not there: each row would be told of as if it were at fault."""
        if not self.root.is_dir():
            raise DataError(
                "data.root is not a directory" if self.root.exists() else "no such data set",
                where=str(self.root),
                hint="set data.root to the directory that the table's paths are below",
            )

    def _require_columns(self, columns: Sequence[str], wanted: Sequence[tuple[str, str]]) -> None:
        """Refuse a table without the columns that the config names, each with its field."""
        missing = [(field, name) for field, name in wanted if name not in columns]
        if not missing:
            return
        places = [f"{field}: {name!r}{_suggest(name, columns)}" for field, name in missing]
        shown = ", ".join(columns)
        raise DataError(
            f"the table has no column {', '.join(repr(name) for _, name in missing[:_MAX_NAMED])}"
            + (f" and {len(missing) - _MAX_NAMED} others" if len(missing) > _MAX_NAMED else ""),
            where="\n         ".join([str(self.file), *places[:_MAX_NAMED]]),
            hint=f"it has {shown if len(shown) < 200 else f'{len(columns)} others'}"  # noqa: PLR2004 - a few lines
            + ("; columns are told apart by commas" if len(columns) == 1 else ""),
        )

    def _read_row(self, row: Row) -> FoundImage:
        """Return the sample of one row.

        Raises:
            UnfitRowError: It cannot be used.
        """
        csv = self._config.csv
        path = self._find_path(row.cells[csv.path])
        return FoundImage(
            require_file(path, self.root),
            path,
            self._find_label(row.cells),
            self._find_group(row.cells, path),
            "train" if csv.split is None else _find_split(row.cells[csv.split], csv),
        )

    def _find_path(self, text: str) -> str:
        return find_path(text, self.root, suffix=self._config.csv.suffix)

    def _find_label(self, cells: dict[str, str]) -> str:
        """Return the class, or the text of several labels."""
        csv, classes = self._config.csv, self.classes
        if csv.label is None:
            return format_labels(classes, tuple(self._iterate_answers(cells)))
        label = cells[csv.label]
        if csv.label_separator is not None:
            ignored = csv.ignored_labels or ()
            parts = [part.strip() for part in label.split(csv.label_separator)]
            for part in parts:
                if part not in classes and part not in ignored:
                    said = f"{part!r} is none of data.classes, nor of data.csv.ignored_labels"
                    raise UnfitRowError(said)
            return format_labels(classes, tuple(name in parts for name in classes))
        if label not in classes:
            more = "; several need data.csv.label_separator" if BETWEEN in label else ""
            raise UnfitRowError(f"{label!r} is none of data.classes{more}")
        return label

    def _iterate_answers(self, cells: dict[str, str]) -> Iterator[bool | None]:
        """Yield what the row says of each class, after the policies for -1 and blanks."""
        csv = self._config.csv
        for name in self.classes:
            text = cells[name].strip()
            if not text:
                yield _POLICIES[csv.blank]
            elif text not in _ANSWERS:
                raise UnfitRowError(f"{text!r} in the column {name!r} is none of 1, 0, -1")
            elif _ANSWERS[text] is None:
                yield _POLICIES[csv.uncertain]
            else:
                yield _ANSWERS[text]

    def _find_group(self, cells: dict[str, str], path: str) -> str:
        """Return the patient: of the column, or by the pattern over the path."""
        column, pattern = self._config.csv.group, self._config.group_pattern
        if column is None and pattern is None:
            return path
        if column is None:
            try:
                return derive_group(path, pattern or "", where=path)
            except DataError as error:
                raise UnfitRowError(f"{error.problem}: {path!r}") from error
        group = cells[column]
        if not group.strip():
            raise UnfitRowError(f"its patient is unknown: the column {column!r} is empty")
        return group


def _list_columns(config: DataConfig) -> Iterator[tuple[str, str]]:
    """Yield the config's field and the name of every column that is read."""
    csv = config.csv
    for field in ("path", "label", "group", "split"):
        name = getattr(csv, field)
        if name is not None:
            yield f"data.csv.{field}", name
    if csv.label is None:
        yield from (("data.classes", name) for name in config.classes)


def _suggest(name: str, columns: Sequence[str]) -> str:
    by_lower = {column.strip().lower(): column for column in columns}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


def _find_split(text: str, csv: CsvConfig) -> str:
    names = SPLIT_NAMES if csv.split_names is None else csv.split_names
    if text not in names:
        raise UnfitRowError(f"{text!r} is no split: none of {', '.join(names)}")
    return names[text]


def _describe(problems: Sequence[str]) -> DataError:
    """Put the first few of many rows into one error."""
    num = len(problems)
    return DataError(
        f"{num} rows of the table cannot be used"
        if num > 1
        else "a row of the table cannot be used",
        where="\n         ".join(list_first(problems, _MAX_NAMED)),
        hint="correct the table, or the fields of data.csv that say how it is read",
    )
