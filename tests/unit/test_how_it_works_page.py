"""The tables of ``docs/how-it-works.md`` have a row for each folder and each stream there is."""

from __future__ import annotations

import re
from pathlib import Path

from cxr.config.schema import StreamsConfig
from cxr.determinism.streams import PURPOSES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")


def read_column(header: str, number: int) -> list[str]:
    """Return the cells of a column of the table that begins with a header."""
    table = PAGE.partition(header)[2].partition("\n\n")[0]
    return [row.split("|")[number].strip() for row in table.splitlines()[2:]]


def test_every_folder_of_the_source_is_a_stage_once() -> None:
    told = [cell.strip("`/") for cell in read_column("| stage | folder | what it does |", 2)]
    source = ROOT / "src" / "cxr"
    assert sorted(told) == sorted(path.parent.name for path in source.glob("*/__init__.py"))


def test_every_stream_there_is_has_a_row_and_no_other() -> None:
    cells = read_column("| stream | who draws from it |", 1)
    told = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(told) == sorted(PURPOSES)


def test_streams_that_can_have_a_root_of_their_own_are_named() -> None:
    roots = PAGE.partition("\n## Random streams")[2].partition("\n| ")[0]
    assert re.findall(r"`streams\.(\w+)`", roots) == list(StreamsConfig.model_fields)
