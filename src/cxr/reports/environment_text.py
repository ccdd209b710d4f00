"""The words of a comparison of environments, which a terminal and GitHub's pages share."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from typing import Any, Final

from cxr.compare.environment_report import EnvironmentDifference, EnvironmentReport

HEADER: Final = ("field", "expected", "found", "bits")

_COLUMNS: Final = 76
_COMMANDS: Final = ("uv ", "export ", "unset ", "git ")
_NAMED: Final = 3
_ABSENT: Final = object()


def describe_verdict(report: EnvironmentReport) -> str:
    """Return the verdict in one line: how many facts differ, and whether they affect bits."""
    if report.verdict == "verified":
        return f"verified: this environment is as in the {report.against}, at {report.level}"
    counts = Counter(one.affects_bits for one in report.differences)
    told = ", ".join(f"{counts[word]} {word}" for word in ("yes", "unknown", "no") if counts[word])
    number = len(report.differences)
    noun = "difference" if number == 1 else "differences"
    return f"differs from the {report.against} at {report.level}: {number} {noun} (bits: {told})"


def describe_limits(report: EnvironmentReport) -> list[str]:
    """Return what the verdict does not cover, a line each."""
    lines = []
    if report.ignored:
        noun = "difference" if report.ignored == 1 else "differences"
        lines.append(f"ignored, as asked for: {report.ignored} {noun}")
    if report.unread:
        lines.append(
            f"not compared, the {report.against} does not tell: {', '.join(report.unread)}"
        )
    return lines


def list_rows(report: EnvironmentReport) -> list[list[str]]:
    """Return a row for each difference, under `HEADER`."""
    return [
        [one.field, *describe_values(one.expected, one.found), one.affects_bits]
        for one in report.differences
    ]


def describe_values(expected: Any, found: Any) -> tuple[str, str]:
    """Return both values for a table; of lists and maps, what only one of them has."""
    if isinstance(expected, list) and isinstance(found, list):
        return _only("only", expected, found), _only("only", found, expected)
    if isinstance(expected, dict) and isinstance(found, dict):
        names = [
            name
            for name in {**expected, **found}
            if expected.get(name, _ABSENT) != found.get(name, _ABSENT)
        ]
        return _entries(expected, names), _entries(found, names)
    return _show(expected), _show(found)


def list_remedies(report: EnvironmentReport) -> list[str]:
    """Return what to do, once for all the facts that it mends, with those below it."""
    fields: dict[str, list[str]] = {}
    for one in report.differences:
        fields.setdefault(one.do, []).append(one.field)
    lines = []
    for do, names in fields.items():
        # A command is copied whole; only sentences are folded.
        lines += [do] if do.startswith(_COMMANDS) else textwrap.wrap(do, _COLUMNS)
        lines.append(f"  for {name_fields(names)}")
    return lines


def name_fields(names: list[str]) -> str:
    """Return the first names, and how many there are more."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def describe_difference(one: EnvironmentDifference) -> str:
    """Return a difference in one line."""
    expected, found = describe_values(one.expected, one.found)
    return f"{one.field}: expected {expected}, found {found}; {one.do}"


def _only(word: str, these: list[Any], others: list[Any]) -> str:
    own = [_show(item) for item in these if item not in others]
    return f"{word} {', '.join(own)}" if own else "nothing more"


def _entries(values: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {_show(values.get(name))}" for name in names)


def _show(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return json.dumps(value)
