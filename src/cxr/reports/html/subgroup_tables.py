"""Figures of the images that share a value of a column, as the record tells them."""

from __future__ import annotations

from cxr.plain_text import count
from cxr.reports.html.blocks import Block, Section, Table, Text
from cxr.reports.html.recorded_values import Subgroup
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import FIGURE_TITLES, show_figure


def describe_subgroups(records: RunRecords) -> Section:
    """Return the section."""
    blocks: list[Block] = []
    for name, table in records.subgroups.items():
        blocks.append(_list_rows(name, table))
        if table.hidden_values:
            hidden = count(table.hidden_values, "value")
            blocks.append(
                Text(
                    text=f"{hidden} not told: of fewer than {table.min_patients} patients, or "
                    "what could be told by subtraction."
                )
            )
    if not blocks:
        blocks.append(
            Text(text="The recipe names no subgroups (evaluate.subgroups), so none were compared.")
        )
    return Section(name="subgroups", title="Subgroups", blocks=blocks)


def _list_rows(name: str, table: Subgroup) -> Table:
    names = list(table.rows[0].figures) if table.rows else []
    return Table(
        caption=f"By {name}",
        header=[name, "Patients", "Images", *(FIGURE_TITLES[one] for one in names)],
        rows=[
            [
                row.value or "(no value)",
                f"{row.num_patients:,}",
                f"{row.num_images:,}",
                *(show_figure(row.figures[one]) for one in names),
            ]
            for row in table.rows
        ],
    )
