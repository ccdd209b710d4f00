"""The words of a comparison of environments, which a terminal and GitHub's pages share."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import Final

from cxr.compare.environment_report import EnvironmentDifference, EnvironmentReport
from cxr.reports.values import describe_values

HEADER: Final = ("field", "expected", "found", "bits")

_COLUMNS: Final = 76
_COMMANDS: Final = ("uv ", "export ", "unset ", "git ")
_NAMED: Final = 3


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
