"""The table of cases is the one that its page shows."""

from __future__ import annotations

import re
from pathlib import Path

from cxr.selftest.cases import CASES

PAGE = Path(__file__).parents[3] / "docs" / "selftest.md"


def test_every_case_has_a_name_of_its_own_and_a_line_that_says_what_is_planted():
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({case.planted for case in CASES}) == len(CASES)
    assert all(len(case.planted) <= 72 for case in CASES)


def test_the_page_describes_every_case_and_shows_what_is_printed():
    page = PAGE.read_text(encoding="utf-8")
    names = [case.name for case in CASES]
    assert re.findall(r"^\| `([\w-]+)` \|", page, flags=re.MULTILINE) == names
    printed = page.partition("────\n")[2].partition("all-caught")[0]
    assert re.findall(r"^([\w-]+) .* yes +\d", printed, flags=re.MULTILINE) == names


def test_controls_expect_nothing_and_no_other_case_does():
    silent = [case.name for case in CASES if case.expected.get("verdict") == "identical"]
    assert silent == ["untouched-vectors", "untouched-images", "evaluation-between"]
