"""The name of a record: what a config, an option or an argument may call it."""

from __future__ import annotations

import re
from typing import Final

from cxr.errors import UsageError

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""It becomes a part of a directory's name: without separators, and not hidden."""


def require_record_name(name: str, *, where: str) -> None:
    """Refuse a name that a config may not have either.

    Args:
        name: Of a record.
        where: What gave it, for an error.

    Raises:
        UsageError: It is none.
    """
    if re.fullmatch(NAME_PATTERN, name) is None or name.endswith("\n"):
        raise UsageError(
            "this is no name for a record",
            where=f"{where}: {name!r}",
            hint="use up to 64 letters, digits, dots, dashes and underscores, no dot or dash first",
        )
