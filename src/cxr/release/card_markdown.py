"""Tables and names in a model card's Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from cxr.plain_text import show_plainly

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|])")


def escape(text: str) -> str:
    """Return a name from a record so that Markdown shows it and obeys nothing in it."""
    return _MARKUP.sub(r"\\\1", " ".join(show_plainly(text).split()))


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
