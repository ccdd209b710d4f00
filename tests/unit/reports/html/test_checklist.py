"""The checklist of a report is that of the documentation, line by line."""

from __future__ import annotations

from pathlib import Path

from cxr.reports.html.checklist import ANSWERS, load_checklist

PAGE = Path(__file__).parents[4] / "docs" / "reproducibility_checklist.md"


def read_page_lines() -> list[tuple[str, str, str]]:
    lines, part = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            part = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith(("| item |", "| --- |")):
            item, given_by = line.strip("| ").split(" | ")
            lines.append((part, item, given_by))
    return lines


def test_the_page_and_the_report_have_the_same_lines():
    found = [(line.part, line.item, line.given_by) for line in load_checklist()]
    assert found == read_page_lines()
    assert len(found) > 40


def test_each_line_names_an_answer_that_there_is_and_each_answer_has_its_line():
    named = [line.answer for line in load_checklist() if line.answer]
    assert sorted(named) == sorted(ANSWERS)


def test_what_only_a_person_knows_is_answered_by_no_record():
    for line in load_checklist():
        if line.given_by.startswith("you") and line.answer != "intervals":
            assert not line.answer, line.item
