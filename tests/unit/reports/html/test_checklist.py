"""The checklist of a report is that of the documentation, line by line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from cxr.records.data_lock import DataLock, Sample
from cxr.reports.html.checklist import ANSWERS, load_checklist
from cxr.reports.html.run_records import RunRecords

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
        if line.given_by.startswith("you"):
            assert not line.answer, line.item


def test_equal_files_are_counted_across_splits_and_across_labels():
    samples = [
        Sample(path=str(number), bytes=1, sha256=content, label=label, group="g", split=split)
        for number, (content, label, split) in enumerate(
            [
                ("once", "A", "train"),
                ("twice", "A", "train"),
                ("twice", "A", "train"),
                ("leaked", "A", "train"),
                ("leaked", "A", "test"),
                ("doubtful", "A", "val"),
                ("doubtful", "B", "val"),
                ("doubtful", "A", "train"),
            ]
        )
    ]
    records = SimpleNamespace(lock=DataLock(classes=("A", "B"), samples=tuple(samples)))
    assert ANSWERS["identical_files"](cast("RunRecords", records), None) == (
        "3 contents stand in several files, 2 of them across splits, 1 with more than one label"
    )
