"""Markdown shows what records hold, and none of it is read as Markdown or HTML."""

from __future__ import annotations

import re

from cxr.reports.html.blocks import Cell, Report, Section, Table
from cxr.reports.html.markdown import START, escape, render_markdown
from support.reports import build_hostile_report


def test_a_report_is_the_same_in_both_forms():
    cells = [["a", "1"], ["b", Cell(text="2", shade=3)]]
    table = Table(caption="Counts", header=["Class", "Images"], rows=cells)
    report = Report(
        title="Run",
        subtitle="of today",
        sections=[Section(name="data", title="Data", blocks=[table])],
    )
    assert render_markdown(report) == (
        f"{START}\n\n# Run\n\nof today\n\n## Data\n\n"
        "Counts:\n\n| Class | Images |\n| --- | --- |\n| a | 1 |\n| b | 2 |\n"
    )


def test_what_a_record_holds_is_never_read_as_markdown():
    text = render_markdown(build_hostile_report())
    own = re.sub(r"</?(details|summary)>|<!-- written by cxr report -->", "", text)
    assert "<" not in own
    assert "`" not in own
    assert "](" not in own
    assert "@" not in own
    assert "$" not in own
    # No line begins with what came from a record, and no cell ends before its end.
    for line in own.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
    assert "\u202e" not in text
    text.encode("utf-8")


def test_every_row_of_a_table_has_as_many_cells():
    text = render_markdown(build_hostile_report())
    widths = []
    for line in text.splitlines():
        if line.startswith("|"):
            widths.append(line.count("|"))
        elif widths:
            assert len(set(widths)) == 1
            widths = []


def test_signs_become_references():
    assert escape("a_b|<c>") == "a&#95;b&#124;&#60;c&#62;"
