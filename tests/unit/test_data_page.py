"""The page about data lists every kind of problem, as the program has it."""

from __future__ import annotations

import re
from pathlib import Path

from cxr.data.checks.acceptance import NEVER_ACCEPTED
from cxr.data.checks.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def test_every_kind_stands_in_the_table_with_its_severity_and_meaning() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| kind | severity | meaning |")[2]
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \| (.+) \|$", table, flags=re.MULTILINE)
    assert rows == [(name, kind.severity, kind.meaning) for name, kind in KINDS.items()]


def test_only_kinds_that_there_are_cannot_be_accepted() -> None:
    assert KINDS.keys() > NEVER_ACCEPTED
