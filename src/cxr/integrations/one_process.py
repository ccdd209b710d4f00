"""One record tells of one process: training shared among several is refused."""

from __future__ import annotations

from cxr.errors import UsageError


def require_one(number: int, what: str = "processes", *, where: str, hint: str) -> None:
    """Refuse several of what shares a training, because each has a part of what a record tells.

    Args:
        number: How many there are.
        what: Of what, in the plural.
        where: What set the number.
        hint: How to have one.

    Raises:
        UsageError: There are several.
    """
    if number > 1:
        raise UsageError(
            f"{number} {what} train together, and a record tells of one", where=where, hint=hint
        )
