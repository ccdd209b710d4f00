"""One line of a look at the installation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One line about the installation.

    Attributes:
        name: What was looked at.
        ok: Whether it will bear; otherwise it is worth a warning.
        found: What was found, in one line.
        mend: What mends it, a command where there is one; None where nothing needs mending.
    """

    name: str
    ok: bool
    found: str
    mend: str | None = None
