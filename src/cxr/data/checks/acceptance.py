"""Problems that a config declares to know: they are told, and no longer stand in the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final

from cxr.data.checks.kinds import KINDS, DataProblem
from cxr.errors import ConfigError

NEVER_ACCEPTED: Final = frozenset(
    {
        # Nothing can be locked, or trained on, that cannot be read.
        "unreadable",
        "no-images",
        # A lock says what the set must be: it is brought up to date, not passed over.
        "missing",
        "extra",
        "renamed",
        "changed",
        "pixels-changed",
        "label-changed",
        "group-changed",
        "split-changed",
        "rules-changed",
    }
)
"""Kinds that ``data.accept`` may not name."""


def require_acceptable(kinds: Collection[str]) -> None:
    """Refuse kinds that there are not, or that nobody may accept.

    Args:
        kinds: ``data.accept``.

    Raises:
        ConfigError: Naming the first of them.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(
                f"there is no kind of problem called {kind}",
                where="data.accept",
                hint="docs/data.md lists every kind",
            )
        if kind in NEVER_ACCEPTED:
            raise ConfigError(
                f"a problem of the kind {kind} cannot be accepted",
                where="data.accept",
                hint="mend the set, or bring its lock up to date: cxr data lock TARGET --update",
            )


def mark_accepted(problems: Iterable[DataProblem], kinds: Collection[str]) -> list[DataProblem]:
    """Return the problems, those of accepted kinds as notes that say so."""
    return [
        replace(problem, severity="note", detail=f"accepted: {problem.detail}")
        if problem.kind in kinds
        else problem
        for problem in problems
    ]
