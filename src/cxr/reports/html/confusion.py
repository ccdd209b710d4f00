"""What was decided for what: a heat table, or four counts of each label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cxr.reports.html.blocks import Block, Cell, Section, Table, Text
from cxr.reports.html.data_card import MOST_ROWS
from cxr.reports.html.run_analysis import RunAnalysis
from cxr.reports.html.run_records import RunRecords

_MOST_CLASSES: Final = 30
_DARKEST: Final = 9


def describe_confusion(records: RunRecords, analysis: RunAnalysis) -> Section:
    """Return the section."""
    confusion = analysis.figures["confusion"]
    block: Block
    if isinstance(confusion, dict):
        block = _list_labels(confusion)
    elif len(records.lock.classes) > _MOST_CLASSES:
        block = Text(text=f"More than {_MOST_CLASSES} classes: cxr evaluate --json has the table.")
    else:
        block = _draw_table(records.lock.classes, confusion)
    return Section(name="confusion", title="Confusion", blocks=[block])


def _draw_table(classes: tuple[str, ...], confusion: list[list[int]]) -> Table:
    rows: list[list[str | Cell]] = []
    for name, counts in zip(classes, confusion, strict=True):
        total = sum(counts)
        cells = [_shade(number, total) for number in counts]
        rows.append([name, *cells, f"{total:,}"])
    return Table(
        caption="Images of each class (row) by decision (column), and the share of the row",
        header=["True class", *(f"→ {name}" for name in classes), "All"],
        rows=rows,
    )


def _shade(number: int, total: int) -> Cell:
    if not total:
        return Cell(text=f"{number:,}", shade=0)
    # In whole numbers, so that no rounding chooses between two shades.
    shade = (2 * _DARKEST * number + total) // (2 * total)
    return Cell(text=f"{number:,} ({100 * number / total:.0f} %)", shade=shade)


def _list_labels(confusion: Mapping[str, Any]) -> Table:
    rows = []
    for name, ((right_out, false_alarm), (missed, found)) in list(confusion.items())[:MOST_ROWS]:
        rows.append([name, *(f"{one:,}" for one in (found, missed, false_alarm, right_out))])
    more = len(confusion) - len(rows)
    return Table(
        caption="Decisions on each label, of the images of which it is known"
        + (f"; {more:,} more labels not shown" if more else ""),
        header=["Label", "Found", "Missed", "False alarms", "Rightly left out"],
        rows=rows,
    )
